// What Grafana's own types say of a dashboard's JSON, panel by panel. tests/dashboards writes one file for each dashboard
// that must be a Board, and runs tsc.
import type * as schema from '@grafana/schema/dist/esm/raw/dashboard/x/dashboard_types.gen.d.ts';
import type * as barchart from '@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen.d.ts';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen.d.ts';
import type * as gauge from '@grafana/schema/dist/esm/raw/composable/gauge/panelcfg/x/GaugePanelCfg_types.gen.d.ts';
import type * as geomap from '@grafana/schema/dist/esm/raw/composable/geomap/panelcfg/x/GeomapPanelCfg_types.gen.d.ts';
import type * as heatmap from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen.d.ts';
import type * as piechart from '@grafana/schema/dist/esm/raw/composable/piechart/panelcfg/x/PieChartPanelCfg_types.gen.d.ts';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type * as stateTimeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts';
import type * as statusHistory from '@grafana/schema/dist/esm/raw/composable/statushistory/panelcfg/x/StatusHistoryPanelCfg_types.gen.d.ts';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
import type * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen.d.ts';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';
import type * as xychart from '@grafana/schema/dist/esm/raw/composable/xychart/panelcfg/x/XYChartPanelCfg_types.gen.d.ts';

// In JSON an enum is its value.
type Json<T> = unknown extends T ? T
  : T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends readonly (infer U)[] ? Json<U>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> }
  : T;

interface InfluxTarget {
  refId: string;
  datasource: { type: 'influxdb'; uid: 'buttonwatch-influx' };
  rawQuery: true;
  resultFormat: 'table' | 'time_series';
  query: string;
  alias?: string;
  hide?: boolean;
}

interface PrometheusTarget {
  refId: string;
  datasource: { type: 'prometheus'; uid: 'buttonwatch-prometheus' };
  expr: string;
  instant?: boolean;
  range?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  legendFormat?: string;
  interval?: string;
  editorMode?: 'code' | 'builder';
  hide?: boolean;
}

// What every panel must have here, beyond what Grafana asks.
type PanelOf<Type extends string, Options, Custom> = Omit<
  Json<schema.Panel>,
  'type' | 'id' | 'title' | 'description' | 'gridPos' | 'options' | 'fieldConfig' | 'targets'
> & {
  type: Type;
  id: number;
  title: string;
  description: string;
  gridPos: schema.GridPos;
  options: Partial<Json<Options>>;
  fieldConfig: {
    defaults: Omit<Json<schema.FieldConfig>, 'custom'> & { noValue: string; custom?: Partial<Json<Custom>> };
    overrides: Json<schema.FieldConfigSource['overrides']>;
  };
  targets?: (InfluxTarget | PrometheusTarget)[];
};

type NoCustom = Record<string, never>;

type Panel =
  | PanelOf<'barchart', barchart.Options, barchart.FieldConfig>
  | PanelOf<'bargauge', bargauge.Options, NoCustom>
  | PanelOf<'gauge', gauge.Options, NoCustom>
  | PanelOf<'geomap', geomap.Options, { hideFrom: { tooltip: boolean; viz: boolean; legend: boolean } }>
  | PanelOf<'heatmap', heatmap.Options, heatmap.FieldConfig>
  | PanelOf<'piechart', piechart.Options, piechart.FieldConfig>
  | PanelOf<'stat', stat.Options, NoCustom>
  | PanelOf<'state-timeline', stateTimeline.Options, stateTimeline.FieldConfig>
  | PanelOf<'status-history', statusHistory.Options, statusHistory.FieldConfig>
  | PanelOf<'table', table.Options, table.FieldConfig>
  | PanelOf<'text', text.Options, NoCustom>
  | PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>
  | PanelOf<'xychart', xychart.Options, xychart.FieldConfig>;

type Row = Omit<Json<schema.RowPanel>, 'panels'> & { panels: Panel[] };

// The last three are fields of InfluxDB's annotations, which Grafana's types leave out.
type Annotation = Json<schema.AnnotationQuery> & { query?: string; textColumn?: string; tagsColumn?: string };

// `definition`: what Grafana shows of a variable's query. Grafana's types leave it out.
type Variable = Json<schema.VariableModel> & { definition?: string };

export type Board = Omit<Json<schema.Dashboard>, 'panels' | 'annotations' | 'templating' | 'uid' | 'title'> & {
  uid: string;
  title: string;
  panels: (Panel | Row)[];
  annotations?: { list: Annotation[] };
  templating?: { list: Variable[] };
};

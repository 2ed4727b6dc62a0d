-- Each mail tells what else is known of its site.
CREATE INDEX work_order_by_site ON work_order (site, id);

//! SVG → PNG, for mails: their readers show no SVG. With a font of our own, so that the bytes are the same everywhere, and
//! with few colours, so that a mail with charts is small enough for a thin link.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Group, Node, Options, Tree};
use thiserror::Error;

use super::paper::escaped;

/// Pixels of the picture per pixel of the chart: phones have two, or three.
const SCALE: f32 = 2.0;
/// A mistake in a size must not ask for gigabytes.
const SIDE_MAX: u32 = 8_192;
const FONT: &str = "DejaVu Sans";
/// A chart has a dozen colours, and the shades between them at the edges of letters and lines. Nobody sees more.
const COLOURS: usize = 32;
/// The square of the distance at which two of them are worth a place each.
const APART: u32 = 150;

#[derive(Debug, Error)]
pub enum PngError {
    #[error("the chart is no SVG that can be drawn: {0}")]
    Svg(#[from] resvg::usvg::Error),
    #[error("the chart is {width} by {height} pixels; at most {SIDE_MAX} can be drawn")]
    Size { width: u32, height: u32 },
    #[error("the picture cannot be packed: {0}")]
    Packing(#[from] png::EncodingError),
}

/// At twice the size of the chart.
pub fn png(svg: &str) -> Result<Vec<u8>, PngError> {
    let tree = read(svg)?;
    let size = tree.size();
    let (width, height) = ((size.width() * SCALE).ceil() as u32, (size.height() * SCALE).ceil() as u32);
    let too_large = PngError::Size { width, height };
    if width > SIDE_MAX || height > SIDE_MAX {
        return Err(too_large);
    }
    let mut pixmap = Pixmap::new(width, height).ok_or(too_large)?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    pack(&pixmap)
}

/// Has the font of the pictures all letters of this text? It has Arabic ones, and most of Urdu's, but not `ہ`: whoever writes
/// a mail can put such a title above the picture, in text, and leave the chart's empty.
pub fn can_write(text: &str) -> bool {
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><text>{}</text></svg>",
        escaped(text)
    );
    read(&svg).is_ok_and(|tree| has_letters(tree.root()))
}

fn read(svg: &str) -> Result<Tree, resvg::usvg::Error> {
    let options = Options { font_family: FONT.to_owned(), fontdb: fonts(), ..Options::default() };
    Tree::from_str(svg, &options)
}

fn has_letters(group: &Group) -> bool {
    /// What a font shows for a letter that it has not.
    const MISSING: u32 = 0;
    group.children().iter().all(|node| match node {
        Node::Group(inner) => has_letters(inner),
        Node::Text(text) => {
            text.layouted().iter().all(|span| span.positioned_glyphs.iter().all(|glyph| glyph.id.0 != MISSING))
        }
        Node::Path(_) | Node::Image(_) => true,
    })
}

type Colour = [u8; 3];

/// One byte a pixel, its place in the palette.
fn pack(picture: &Pixmap) -> Result<Vec<u8>, PngError> {
    // The chart's ground covers all of it: nothing is left to shine through.
    let pixels = || picture.data().chunks_exact(4).map(|p| [p[0], p[1], p[2]]);
    let (palette, places) = few(pixels());
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, picture.width(), picture.height());
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_compression(Compression::High);
    // Neighbours in a palette have nothing to do with each other.
    encoder.set_filter(Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    let bytes: Vec<u8> = pixels().map(|colour| places[&colour]).collect();
    writer.write_image_data(&bytes)?;
    writer.finish()?;
    Ok(out)
}

/// The most frequent colours, and for each colour the place of the nearest of them.
fn few(pixels: impl Iterator<Item = Colour>) -> (Vec<Colour>, BTreeMap<Colour, u8>) {
    let mut counts: BTreeMap<Colour, usize> = BTreeMap::new();
    for colour in pixels {
        *counts.entry(colour).or_default() += 1;
    }
    let mut ranked: Vec<(usize, Colour)> = counts.into_iter().map(|(colour, count)| (count, colour)).collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    let mut palette: Vec<Colour> = Vec::new();
    for (_, colour) in &ranked {
        if palette.len() < COLOURS && palette.iter().all(|other| distance(colour, other) >= APART) {
            palette.push(*colour);
        }
    }
    let nearest = |colour: &Colour| {
        (0u8..).zip(&palette).min_by_key(|(_, other)| distance(colour, other)).map_or(0, |(place, _)| place)
    };
    let places = ranked.iter().map(|(_, colour)| (*colour, nearest(colour))).collect();
    (palette, places)
}

fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.set_sans_serif_family(FONT);
        Arc::new(fonts)
    };
    Arc::clone(FONTS.get_or_init(load))
}

fn distance(a: &Colour, b: &Colour) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum()
}

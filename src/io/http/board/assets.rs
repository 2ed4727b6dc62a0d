//! The style, the script and the icon: each under an address that changes with its content, so that a browser keeps it for
//! ever and never has an old one. Never reads a file.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::render::board::{Assets, ICON, SCRIPT, STYLE};

struct Asset {
    file: String,
    tag: String,
    media_type: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(ending: &str, media_type: &'static str, text: &'static str) -> Self {
        let hash = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
        Asset { file: format!("board-{hash}.{ending}"), tag: format!("\"{hash}\""), media_type, text }
    }
    fn address(&self) -> Arc<str> {
        format!("/assets/{}", self.file).into()
    }
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new("css", "text/css; charset=utf-8", STYLE),
        Asset::new("js", "text/javascript; charset=utf-8", SCRIPT),
        Asset::new("svg", "image/svg+xml", ICON),
    ]
});

pub fn addresses() -> Assets {
    let [css, js, icon] = &*ASSETS;
    Assets { css: css.address(), js: js.address(), icon: icon.address() }
}

pub async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|a| a.file == file) else {
        return (StatusCode::NOT_FOUND, "There is no such file; load the page again.\n").into_response();
    };
    let ascii = |text: &str| HeaderValue::try_from(text).expect("a hash and a media type are ASCII");
    let mut out = HeaderMap::new();
    out.insert(header::ETAG, ascii(&asset.tag));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    let has_it = headers.get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == asset.tag.as_bytes());
    if has_it {
        return (StatusCode::NOT_MODIFIED, out).into_response();
    }
    out.insert(header::CONTENT_TYPE, ascii(asset.media_type));
    (StatusCode::OK, out, asset.text).into_response()
}

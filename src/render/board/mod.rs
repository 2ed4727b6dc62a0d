//! The board's pages: what a person with a browser sees. Values in, HTML out, in the reader's language; every value is
//! escaped by minijinja, or by `reader` where a word brings its own marks. Never asks for anything, never reads a clock.
//!
//! ```text
//!  domain::view, domain::overview ─┐
//!  words/*.ftl ── Language ────────┼─▶ page(View, Frame) ─▶ HTML
//!  templates/*.html ───────────────┘
//! ```

mod asks;
mod because;
mod charts;
mod map;
mod pages;
mod reader;
#[cfg(test)]
mod tests;
pub mod words;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context};

use crate::domain::access::{Caller, Role};
use crate::domain::component::words;
use crate::render::mail::escaped;

pub use pages::{
    Alerts, AskedAlerts, AskedOrders, AskedUnits, Home, Incidents, Kept, OnePage, OrderPage, Orders, Problem, Rules,
    Said, SignIn, Trouble, UnitPage, Units, condition, newest_command,
};
pub use reader::{Reader, has_chart, link};
pub use words::{Language, Words, WordsProblem};

/// Name and text of each, in the order in which they build on each other.
const TEMPLATES: [(&str, &str); 12] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("home.html", include_str!("templates/home.html")),
    ("units.html", include_str!("templates/units.html")),
    ("unit.html", include_str!("templates/unit.html")),
    ("orders.html", include_str!("templates/orders.html")),
    ("order.html", include_str!("templates/order.html")),
    ("incidents.html", include_str!("templates/incidents.html")),
    ("alerts.html", include_str!("templates/alerts.html")),
    ("rules.html", include_str!("templates/rules.html")),
    ("sign-in.html", include_str!("templates/sign-in.html")),
    ("problem.html", include_str!("templates/problem.html")),
];

/// What the pages fetch, as it is.
pub const STYLE: &str = include_str!("assets/board.css");
pub const SCRIPT: &str = include_str!("assets/board.js");
pub const ICON: &str = include_str!("assets/icon.svg");

words!(
    /// The colours a reader has chosen.
    Look {
        Auto = "auto",
        Light = "light",
        Dark = "dark",
    }
);

/// Said at the top of a page, after a form or instead of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    pub is_bad: bool,
    /// A key of the words.
    pub key: &'static str,
    /// What the service says about it. Empty: nothing.
    pub text: String,
}

/// Everything around a page's own content.
pub struct Frame {
    pub reader: Reader,
    pub look: Look,
    /// The page's own path, and the whole address with what is behind `?`.
    pub path: String,
    pub address: String,
    pub caller: Option<Caller>,
    /// Signed in with a token, so that there is something to sign out of.
    pub is_signed_in: bool,
    /// Proves that a form is of this page.
    pub form_token: String,
    pub assets: Assets,
    pub flash: Option<Flash>,
}

/// Where the style, the script and the icon are.
#[derive(Debug, Clone)]
pub struct Assets {
    pub css: Arc<str>,
    pub js: Arc<str>,
    pub icon: Arc<str>,
}

/// The pages there are.
pub enum View<'a> {
    Home(Home<'a>),
    Units(Units<'a>),
    Unit(Box<UnitPage<'a>>),
    Orders(Orders<'a>),
    Order(OrderPage<'a>),
    Incidents(Incidents<'a>),
    Alerts(Alerts<'a>),
    Rules(Rules<'a>),
    SignIn(SignIn<'a>),
    Problem(Problem<'a>),
}

const NAV: [(&str, &str); 6] = [
    ("/", "nav-board"),
    ("/units", "nav-units"),
    ("/orders", "nav-orders"),
    ("/alerts", "nav-alerts"),
    ("/incidents", "nav-incidents"),
    ("/rules", "nav-rules"),
];

/// The templates, read and ready; one for all readers.
pub struct Board {
    env: Environment<'static>,
    pub words: Words,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Board")
    }
}

impl Board {
    pub fn new(words: Words) -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_auto_escape_callback(|_| AutoEscape::Html);
        // As the mails escape: a slash stays a slash, so that addresses can be read.
        env.set_formatter(|out, _, value| {
            if value.is_undefined() {
                return Err(Error::new(ErrorKind::UndefinedError, "no such value"));
            }
            let text = if value.is_none() { String::new() } else { value.to_string() };
            out.write_str(&if value.is_safe() { text } else { escaped(&text) }).map_err(Error::from)
        });
        for (name, text) in TEMPLATES {
            env.add_template(name, text)
                .unwrap_or_else(|e| unreachable!("the templates that we carry have no mistakes: {name}: {e:#}"));
        }
        Board { env, words }
    }

    /// Err: a template asks for what its page does not have: a mistake of ours.
    pub fn page(&self, view: &View<'_>, frame: &Frame) -> Result<String, Error> {
        let drawn = view.drawn(&frame.reader);
        let mut env = self.env.clone();
        frame.reader.add_to(&mut env);
        let around = self.around(frame, &drawn);
        env.get_template(drawn.template)?.render(context! { frame => around, ..drawn.values })
    }

    fn around(&self, frame: &Frame, drawn: &Drawn) -> Value {
        let reader = &frame.reader;
        let is_here = |href: &str| match href {
            "/" => frame.path == "/",
            href => frame.path == href || frame.path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/')),
        };
        let languages = self.words.all().map(|l| {
            context! { code => l.code.as_str(), name => l.name.as_str(), is_here => l.code == reader.language.code }
        });
        let looks = Look::ALL.iter().map(|look| {
            context! { word => look.as_str(), label => format!("theme-{look}"), is_here => *look == frame.look }
        });
        let nav = NAV.iter().map(|(href, label)| context! { href => *href, label => *label, is_here => is_here(href) });
        let role = frame.caller.as_ref().map(|c| c.role);
        context! {
            lang => reader.language.code.as_str(),
            dir => reader.language.direction(),
            theme => frame.look.as_str(),
            back => frame.address.as_str(),
            css => &*frame.assets.css,
            js => &*frame.assets.js,
            icon => &*frame.assets.icon,
            languages => languages.collect::<Vec<_>>(),
            themes => looks.collect::<Vec<_>>(),
            nav => nav.collect::<Vec<_>>(),
            may_look => role.is_some(),
            may_act => role.is_some_and(|role| role >= Role::Crew),
            role => role.map(|r| r.as_str()).unwrap_or_default(),
            name => frame.caller.as_ref().and_then(|c| c.name.clone()),
            is_signed_in => frame.is_signed_in,
            form_token => frame.form_token.as_str(),
            flash => frame.flash.as_ref().map(|flash| context! {
                tone => if flash.is_bad { "bad" } else { "good" }, key => flash.key, text => flash.text.as_str(),
            }),
            is_live => !drawn.live.is_empty(),
            live => drawn.live.as_str(),
            say => drawn.say.as_str(),
            now => reader.now.to_string(),
            zone => reader.zone_text(),
        }
    }
}

/// A page that is ready to be written.
struct Drawn {
    template: &'static str,
    values: Value,
    /// `soon` among it: something is on its way, and the page looks again by itself.
    /// What it shows, so that a change of anything else does not disturb it: `unit:PSH-001 order:WO-000042`, or `all`.
    /// Empty: nothing of it changes by itself.
    live: String,
    /// Read out when it changes.
    say: String,
}

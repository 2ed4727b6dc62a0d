//! What a crew repairs or swaps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = $crate::domain::component::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $name::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| {
                    $crate::domain::component::UnknownWord {
                        text: text.chars().take(80).collect(),
                        known: $name::ALL.iter().map(|v| v.as_str()).collect(),
                    }
                })
            }
        }
    };
}
pub(crate) use words;

/// A word that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    pub text: String,
    pub known: Vec<&'static str>,
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not one of: {}", self.text, self.known.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

words!(
    /// DESIGN §2, in its order.
    Component {
        Controller = "controller",
        Battery = "battery",
        Charger = "charger",
        Mains = "mains",
        Camera = "camera",
        Microphone = "microphone",
        Speaker = "speaker",
        Button = "button",
        Uplink = "uplink",
        Stream = "stream",
        Clock = "clock",
        Firmware = "firmware",
        Enclosure = "enclosure",
    }
);

impl Component {
    /// Those of which a unit's first self-tests, or the battery's discharges, are remembered as the measure for later.
    pub const LEARNED: &'static [Component] = &[
        Component::Battery,
        Component::Camera,
        Component::Microphone,
        Component::Speaker,
        Component::Button,
        Component::Stream,
    ];
    /// Those that a self-test tests.
    pub const TESTED: &'static [Component] =
        &[Component::Camera, Component::Microphone, Component::Speaker, Component::Button, Component::Stream];
}

//! A place on the ground as people write it. Latitude before longitude, in degrees, WGS 84.

/// `34.0086,71.5743`, also with N, S, E, W behind the figures. Err: what is wrong, and how it is written.
pub fn parse_place(text: &str) -> Result<(f64, f64), String> {
    let form = "write it as 34.0086,71.5743: latitude, a comma, longitude, in degrees with a point";
    let parts: Vec<&str> = text.split([',', ';']).map(str::trim).collect();
    let [lat, lon] = parts[..] else {
        return Err(match parts.len() {
            1 => format!("that is one figure; {form}"),
            // 34,0086,71,5743
            4 => format!("a comma parts the two figures and cannot stand in them; {form}"),
            n => format!("these are {n} figures; {form}"),
        });
    };
    let (lat, lat_side) = figure(lat).ok_or_else(|| format!("{lat:?} is no latitude; {form}"))?;
    let (lon, lon_side) = figure(lon).ok_or_else(|| format!("{lon:?} is no longitude; {form}"))?;
    let wrong_way = matches!(lat_side, Some('E' | 'W')) || matches!(lon_side, Some('N' | 'S'));
    if wrong_way || (lat.abs() > 90.0 && lon.abs() <= 90.0) {
        return Err(format!("the latitude (north) comes first: {lon},{lat}"));
    }
    if lat.abs() > 90.0 || lon.abs() > 180.0 {
        return Err(format!("a latitude is from -90 to 90 and a longitude from -180 to 180; {form}"));
    }
    Ok((lat, lon))
}

/// `34.0086`, `34.0086 N`, `34.0086°N`, `-34.0`. None: no figure.
fn figure(text: &str) -> Option<(f64, Option<char>)> {
    let side = text.chars().last().map(|c| c.to_ascii_uppercase()).filter(|c| "NSEW".contains(*c));
    let digits = if side.is_some() { &text[..text.len() - 1] } else { text };
    let value: f64 = digits.trim_end().trim_end_matches('°').trim().parse().ok()?;
    match side {
        _ if !value.is_finite() => None,
        Some('S' | 'W') if value >= 0.0 => Some((-value, side)),
        // -34 S: which is it?
        Some(_) if value < 0.0 => None,
        Some(_) | None => Some((value, side)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_maps_write_it() {
        let peshawar = (34.0086, 71.5743);
        for text in
            ["34.0086,71.5743", " 34.0086 , 71.5743 ", "34.0086 N, 71.5743 E", "34.0086°N,71.5743°e", "34.0086;71.5743"]
        {
            assert_eq!(parse_place(text), Ok(peshawar), "{text}");
        }
        assert_eq!(parse_place("-34.5,-71"), Ok((-34.5, -71.0)));
        assert_eq!(parse_place("34.5S,71W"), Ok((-34.5, -71.0)));
        for (text, says) in [
            ("71.5743E,34.0086N", "the latitude (north) comes first: 34.0086,71.5743"),
            ("171.5,34.0", "the latitude (north) comes first: 34,171.5"),
            ("34,0086,71,5743", "a comma parts the two figures"),
            ("34.0086", "that is one figure"),
            ("34°0'31\",71°34'", "is no latitude"),
            ("100,200", "a latitude is from -90 to 90"),
            ("-34 S,71", "is no latitude"),
            ("NaN,71", "is no latitude"),
            ("", "that is one figure"),
        ] {
            let error = parse_place(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}

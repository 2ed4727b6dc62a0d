//! Who is connected: by client, for takeover; by unit, for commands.
//!
//! A unit may hold several connections (a `mosquitto_pub` for each message). Its commands go to the connection that
//! subscribed latest, and to the one before when that is gone.
//!
//! Never writes to a connection: it finds its [`Link`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::UnitId;

use super::link::{HangUp, Link};
use super::packet::QoS;

/// Whose second connection ends the first. With passwords a client id counts within its unit, so that no unit can throw
/// another out by choosing its client id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientKey {
    pub unit: Option<UnitId>,
    pub client_id: Arc<str>,
}

/// Where a command for a unit goes.
pub enum Route {
    Offline,
    NotSubscribed,
    To(Arc<Link>, QoS),
}

/// The service stops: no one is taken in any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped;

#[derive(Default)]
pub struct Register {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clients: HashMap<ClientKey, Arc<Link>>,
    units: HashMap<UnitId, Vec<Seat>>,
    subscriptions: u64,
    stopped: bool,
}

struct Seat {
    link: Arc<Link>,
    /// The latest has the highest number.
    subscribed: Option<(u64, QoS)>,
}

impl Register {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code that holds this lock can panic")
    }

    /// Ok: the connection whose place this one takes. It is hung up; wait until it is gone, so that its last will comes
    /// before anything the new one says.
    pub fn enroll(&self, client: &ClientKey, link: &Arc<Link>) -> Result<Option<Arc<Link>>, Stopped> {
        let mut state = self.lock();
        if state.stopped {
            return Err(Stopped);
        }
        let previous = state.clients.insert(client.clone(), Arc::clone(link));
        drop(state);
        if let Some(previous) = &previous {
            previous.hang_up(HangUp::TakenOver);
        }
        Ok(previous)
    }

    pub fn bind(&self, unit: &UnitId, link: &Arc<Link>) {
        let seat = Seat { link: Arc::clone(link), subscribed: None };
        self.lock().units.entry(unit.clone()).or_default().push(seat);
    }

    /// None: the connection has no subscription any more.
    pub fn subscribed(&self, unit: &UnitId, link: &Arc<Link>, qos: Option<QoS>) {
        let mut state = self.lock();
        state.subscriptions += 1;
        let number = state.subscriptions;
        if let Some(seat) = state.units.get_mut(unit).and_then(|seats| find(seats, link)) {
            seat.subscribed = qos.map(|qos| (number, qos));
        }
    }

    pub fn leave(&self, client: &ClientKey, unit: Option<&UnitId>, link: &Arc<Link>) {
        let mut state = self.lock();
        // The one that took over has the place now.
        if state.clients.get(client).is_some_and(|present| Arc::ptr_eq(present, link)) {
            state.clients.remove(client);
        }
        if let Some(unit) = unit
            && let Some(seats) = state.units.get_mut(unit)
        {
            seats.retain(|seat| !Arc::ptr_eq(&seat.link, link));
            if seats.is_empty() {
                state.units.remove(unit);
            }
        }
    }

    pub fn route(&self, unit: &UnitId) -> Route {
        let state = self.lock();
        let Some(seats) = state.units.get(unit) else { return Route::Offline };
        let latest = seats.iter().filter_map(|seat| seat.subscribed.map(|(number, qos)| (number, qos, &seat.link)));
        match latest.max_by_key(|(number, ..)| *number) {
            Some((_, qos, link)) => Route::To(Arc::clone(link), qos),
            None => Route::NotSubscribed,
        }
    }

    pub fn is_connected(&self, unit: &UnitId) -> bool {
        self.lock().units.contains_key(unit)
    }

    pub fn connections(&self) -> usize {
        self.lock().clients.len()
    }

    pub fn hang_up_units(&self, why: HangUp, concerned: impl Fn(&UnitId) -> bool) {
        let links: Vec<_> = {
            let state = self.lock();
            let seats = state.units.iter().filter(|(unit, _)| concerned(unit)).flat_map(|(_, seats)| seats);
            seats.map(|seat| Arc::clone(&seat.link)).collect()
        };
        links.iter().for_each(|link| link.hang_up(why));
    }

    pub fn hang_up_all(&self, why: HangUp) {
        let links: Vec<_> = self.lock().clients.values().cloned().collect();
        links.iter().for_each(|link| link.hang_up(why));
    }

    /// From now on no one is taken in.
    pub fn stop(&self, why: HangUp) {
        self.lock().stopped = true;
        self.hang_up_all(why);
    }
}

fn find<'a>(seats: &'a mut [Seat], link: &Arc<Link>) -> Option<&'a mut Seat> {
    seats.iter_mut().find(|seat| Arc::ptr_eq(&seat.link, link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str) -> ClientKey {
        ClientKey { unit: None, client_id: id.into() }
    }

    #[test]
    fn commands_go_to_the_latest_subscriber_and_fall_back_when_it_leaves() {
        let (register, unit) = (Register::default(), UnitId::parse("PSH-001").unwrap());
        let links: Vec<_> = (0..3).map(|_| Arc::new(Link::default())).collect();
        assert!(matches!(register.route(&unit), Route::Offline));
        for (at, link) in links.iter().enumerate() {
            assert!(register.enroll(&client(&format!("c{at}")), link).unwrap().is_none());
            register.bind(&unit, link);
        }
        assert!(matches!(register.route(&unit), Route::NotSubscribed));
        register.subscribed(&unit, &links[2], Some(QoS::AtLeastOnce));
        register.subscribed(&unit, &links[0], Some(QoS::AtMostOnce));
        let goes_to = |link: &Arc<Link>| matches!(register.route(&unit), Route::To(to, _) if Arc::ptr_eq(&to, link));
        assert!(goes_to(&links[0]));
        register.leave(&client("c0"), Some(&unit), &links[0]);
        assert!(goes_to(&links[2]));
        register.subscribed(&unit, &links[2], None);
        assert!(matches!(register.route(&unit), Route::NotSubscribed));
        register.leave(&client("c1"), Some(&unit), &links[1]);
        register.leave(&client("c2"), Some(&unit), &links[2]);
        assert!(!register.is_connected(&unit) && register.connections() == 0);
    }

    #[test]
    fn the_one_taken_over_does_not_take_the_place_of_the_new_one_along() {
        let register = Register::default();
        let (old, new) = (Arc::new(Link::default()), Arc::new(Link::default()));
        register.enroll(&client("c"), &old).unwrap();
        assert!(register.enroll(&client("c"), &new).unwrap().is_some_and(|taken| Arc::ptr_eq(&taken, &old)));
        assert!(old.is_hung_up() && !new.is_hung_up());
        register.leave(&client("c"), None, &old);
        assert_eq!(register.connections(), 1);
        register.stop(HangUp::Stopping);
        assert!(new.is_hung_up());
        assert_eq!(register.enroll(&client("d"), &old).err(), Some(Stopped));
    }
}

# The board's words in English. Every other language falls back to these.
# A translation is a copy of this file under the code of its language, such as ps.ftl. Leave the part before = as it is; keep
# { $n } and its like, which are filled in.

language-name = English

# The frame of every page
skip-to-content = Skip to content
nav-label = Main
nav-board = Board
nav-units = Buttons
nav-orders = Work orders
nav-alerts = Alerts
nav-incidents = Incidents
nav-rules = Rules
look-label = Language and look
theme-light = Light
theme-dark = Dark
theme-auto = Automatic
someone = Someone
role-viewer = may look
role-crew = crew
role-admin = administrator
sign-in = Sign in
sign-out = Sign out
as-of = As of
times-are = Times are
public-report = Public report
live-lost = Connection lost. What you see may be old; trying again.
live-found = Connected again.
live-typing = Something has changed. It is shown when your form is sent, or when you reload the page.
go-back = Back
show = Show
show-all = Show all
clear = Clear
any = Any
since = since
never = never
pages-label = Pages
page-first = First page
page-next = Next page
and-n-more = and { $n } more

# Times and spans
ago-now = just now
ago-minutes = { $n } min ago
ago-hours = { $n } h ago
ago-days = { $n } { $n ->
    [one] day
   *[other] days
} ago
in-now = in a moment
in-minutes = in { $n } min
in-hours = in { $n } h
in-days = in { $n } { $n ->
    [one] day
   *[other] days
}
span-seconds = { $n } s
span-minutes = { $n } min
span-hours = { $n } h
span-days = { $n } d
time-short = { $day } { $month } { $time }
time-day = { $day } { $month } { $year }
time-other-year = { $day } { $month } { $year } { $time }
month-1 = Jan
month-2 = Feb
month-3 = Mar
month-4 = Apr
month-5 = May
month-6 = Jun
month-7 = Jul
month-8 = Aug
month-9 = Sep
month-10 = Oct
month-11 = Nov
month-12 = Dec
weekday-1 = Mon
weekday-2 = Tue
weekday-3 = Wed
weekday-4 = Thu
weekday-5 = Fri
weekday-6 = Sat
weekday-7 = Sun

# Can this button summon help?
readiness = Readiness
readiness-ready = ready
readiness-ready-means = A press brings help.
readiness-impaired = impaired
readiness-impaired-means = A press brings help, but not as well as it should.
readiness-not-ready = not ready
readiness-not-ready-means = A press would not bring help.
readiness-silent = silent
readiness-silent-means = Nothing is heard from it. A press would probably not bring help.
readiness-unknown = unknown
readiness-unknown-means = We could not hear it. Nobody knows.
readiness-unproven = unproven
readiness-unproven-means = It has not passed its tests, or they are overdue.
readiness-maintenance = maintenance
readiness-maintenance-means = Somebody is working on it.

component = Part
component-controller = controller
component-battery = battery
component-charger = charger
component-mains = mains power
component-camera = camera
component-microphone = microphone
component-speaker = speaker
component-button = button
component-uplink = network link
component-stream = video stream
component-clock = clock
component-firmware = firmware
component-enclosure = box

severity = Severity
severity-critical = critical
severity-major = major
severity-minor = minor
severity-warning = warning

priority-P1 = P1 now
priority-P2 = P2 today
priority-P3 = P3 this week
priority-P4 = P4 next visit

state = State
state-opened = opened
state-acknowledged = acknowledged
state-en-route = on the way
state-repaired = repaired
state-verified = verified
state-closed = closed
state-reopened = reopened
state-cancelled = cancelled
do-acknowledged = I take it
do-en-route = On my way
do-repaired = Repaired
do-cancelled = Cancel the order

alert-pending = waiting
alert-firing = firing
alert-inhibited = held back
alert-resolved = over
flapping = on and off

kind-uplink = Network circuit
kind-feeder = Power feeder
kind-site = Site
kind-city = City
kind-fleet = Whole fleet

outcome-pass = passed
outcome-fail = failed
outcome-inconclusive = could not tell
outcome-skipped = skipped

standing-not-selected = not for this button
standing-inactive = quiet
standing-pending = waiting
standing-firing = firing
standing-clearing = ending
standing-held = held back
says-holds = So
says-between = In between
says-not = Not so
says-unknown = Not known

# The board
deaf = The service cannot hear the buttons now. What is shown is old; silence proves nothing.
board-all-ready = { $n ->
    [one] The button is ready
   *[other] All { $n } buttons are ready
}
board-dead = { $n } of { $all } buttons would not bring help
board-impaired = All buttons bring help, { $n } of { $all } not as well as they should
board-not-sure = Of { $n } of { $all } buttons it is not known whether they bring help
board-empty = There are no buttons here
show-all-cities = Show everything
counts-label = Buttons by readiness
n-buttons = { $n ->
    [one] { $n } button
   *[other] { $n } buttons
}
n-open-orders = { $n ->
    [one] { $n } open work order
   *[other] { $n } open work orders
}
n-overdue = { $n } overdue
n-open-alerts = { $n ->
    [one] { $n } alert
   *[other] { $n } alerts
}
n-open-incidents = { $n ->
    [one] { $n } incident
   *[other] { $n } incidents
}
broken-now = Broken now
nothing-broken = Nothing is broken.
all-n-broken = Show all { $n }
n-broken = { $n } broken
map = Map
map-label = Map of the buttons
skip-map = Skip the map
legend = What the marks mean
cities = Cities
n-unplaced = { $n ->
    [one] { $n } button has no position
   *[other] { $n } buttons have no position
}
n-sites = { $n } sites
no-positions = No button has a position. Write lat and lon into fleet.csv to see them here.
km = { $n } km
m = { $n } m
open-incidents = Common causes
no-incidents-fit = No common cause fits.
no-incidents = No common cause is open.
newest-changes = Newest changes
no-changes = Nothing has changed yet.
show-its-buttons = its buttons

# Lists
city = City
any-city = Any city
crew = Crew
any-crew = Any crew
filter = Filter
filter-help = Conditions with spaces between: silent>10m, battery.voltage<11.8, open_orders>0, name~bazaar.
filter-help-short = Conditions with spaces between: priority=P1, component=battery, unit=PSH-001.
filter-help-alerts = Conditions with spaces between: component=camera, since>1d, city=Peshawar, reason~battery.
filter-help-incidents = Conditions with spaces between: kind=feeder, size>5, name~fibre, since>1h.
filter-wrong = The filter cannot be read. Nothing is filtered out until it is mended.
sorted-by = sorted by
sort-name = id
sort-since = newest change
sort-longest = longest in this state
sort-near = nearest
near = Near
near-help = Latitude and longitude, as a map shows them: the nearest buttons come first.
near-wrong = This place cannot be read:
near-here = buttons near here
broken-near-me = What is broken near me?
where-i-am = Where I am
where-unknown = This browser does not say where you are. Allow it to, or write latitude and longitude.
away = { $distance } { $direction }
direction-north = north
direction-north-east = north-east
direction-east = east
direction-south-east = south-east
direction-south = south
direction-south-west = south-west
direction-west = west
direction-north-west = north-west
no-units = No button fits.
n-orders = { $n ->
    [one] { $n } work order
   *[other] { $n } work orders
}
all-open = All open
closed-too = Closed ones too
no-orders = No work order fits.
no-alerts = No alert fits.
incidents-help = One cause over several buttons: a network circuit, a power feeder, a site, a city. It has one work order instead of many.
rule = Rule

# One button
last-heard = last heard
maintenance-until = In maintenance until
where-and-who = Where and who
site = Site
address = Address
contact = Contact
model = Model
firmware = Firmware
lost-messages = Lost messages
silent-at = Counts as silent from
position = Position
on-the-map = on the map
open-trouble = Work orders and alerts
no-trouble = There is no open work order and no alert.
do-something = Do something
asked-lately = Asked of it lately
asked-selftest = Self-test
asked-locate = Blink
asked-reboot = Restart
command-waiting = waiting for it
command-sent = sent
command-accepted = under way
command-refused = refused
command-done = done
command-expired = nothing came
hindered-away = It is not connected. It is asked as soon as it is back.
hindered-takes-no-commands = It is connected, but its firmware takes no commands.
hindered-slow = It is connected, but does not answer. It is asked again and again.
hindered-broker-away = The external broker cannot be reached. The button is asked as soon as the broker is back.
expired-unanswered = It got the question and did not answer in time.
do-selftest = Run a self-test
do-locate = Make it blink
do-reboot = Restart it
do-reboot-help = While it restarts, nobody can call for help with it. That takes some minutes.
do-reboot-now = Restart it now
do-maintenance = Set maintenance
maintenance-for = Maintenance for
maintenance-end = end it now
maintenance-of = Of
this-button = this button
all-of-site = all buttons of the site
n-hours = { $n } h
your-name = Your name
charts = Charts
charts-day = Last day
charts-week = Last week
no-readings = There are no readings.
last-readings = Last readings
reading = Reading
value = Value
limits = Limits
measured = Measured
beyond-limit = beyond the limit
tests = Self-tests
result = Result
tested = Tested
no-tests = It has not tested itself yet.
presses = Presses
press-real = For help
press-test = For a test
press-answered = The control room answered
press-answered-after = The control room answered after { $span }
press-unanswered = Nobody answered
press-not-known = Whether somebody answered is not known
siblings = Neighbours on the same circuit
readiness-history = Readiness in the last 7 days
available-pct = ready to help { $pct } % of the time
available-unknown = too little is known to say how often it was ready
all-changes = All changes
how-rules-stand = How each rule stands
diagnoses = Diagnosis
rules-active = { $n } firing or waiting
rules-quiet = { $n } quiet
rules-not-for = { $n } not for this button
due = due
held-by = held back by

# One work order
opened-at = opened
closed-at = closed
due-in = due { $in }
due-late = overdue by { $span }
due-next-visit = due at the next visit
n-relapses = came back { $n ->
    [one] once
   *[other] { $n } times
}
move-it-on = Move it on
note = Note, if you like: what you found or did
what-to-do = What to do
bring = Bring
suspects = Likely causes
evidence = What was seen
rules-of-order = Rules
history = History
test-waiting = The button was asked to test itself. The answer is shown here as soon as it comes.
test-passed = The test after the repair passed. The order closes by itself when the fault stays away. Tested
test-failed = The test after the repair failed. It is not repaired yet. Tested
test-unclear = The test after the repair could not tell. The button tests itself again. Tested
said-repaired = Said to be repaired. The order closes by itself when the fault stays away.

# Rules
rules-help = What counts as a fault, as alerts.toml says it, and how many buttons each rule concerns now.
n-firing = { $n } firing
n-inhibited = { $n } held back
n-pending = { $n } waiting
n-open = { $n } open
rule-quiet = quiet
rule-for = must last
rule-clear-for = must be gone
rule-makes = makes it
rule-order = order
rule-no-order = nobody is sent
rule-selective = for some buttons only
n-overrides = { $n ->
    [one] other limits for one selection
   *[other] other limits for { $n } selections
}
common-causes = Common causes
incident-when = When at least { $n } buttons, and { $pct } % of the group, have one of these alerts:

# Signing in
sign-in-help = Type the token that you were given. It stays in this browser for { $hours } hours, or until you sign out.
access-token = Token
signed-out = You have signed out.
sign-in-wrong = This token opens nothing. Look for missing characters and try again.

# After a form
done-order = Thank you. The order is moved on.
done-maintenance = Maintenance is set.
done-maintenance-ended = Maintenance has ended.
done-command = The button was asked. Its answer is shown on this page.
changed-meanwhile = Nothing was changed: somebody, or the service, moved it on since you opened this page. This is how it stands now.
nothing-changed = Nothing was changed.
name-wanted = Nothing was changed: write your name first.
form-old = Nothing was changed: this page was open for too long. Try once more.

# When something is wrong
problem-not-found = This is not here
problem-not-found-help = The address is wrong, or the thing is gone. Look for it in the lists.
problem-not-allowed = You may not do this
problem-not-allowed-help = It needs another role than yours. Ask the administrator for a token that may.
problem-foreign = This form comes from another site
problem-foreign-help = Nothing was changed. Open the page from this service and send its own form.
problem-conflict = It has moved on
problem-conflict-help = Nothing was changed. Look at how it stands now, then try what fits it.
problem-invalid = This cannot be done so
problem-invalid-help = Nothing was changed. Correct what is said here, then try again.
problem-unavailable = The service cannot answer now
problem-unavailable-help = It is starting, stopping or busy. Wait some seconds and load the page again.
problem-internal = Something went wrong
problem-internal-help = This is a mistake in Buttonwatch. Tell the operator; the log of this minute says more.
problem-too-large = This is too long
problem-too-large-help = Nothing was changed. Write a shorter note.
problem-wrong-method = Nothing was done
problem-wrong-method-help = This address is for the buttons of a page. Open the page and use them.
problem-misdirected = This address is not served
problem-misdirected-help = The service answers on this machine only. Use the name localhost.

# Why: sentences about what was noticed. A part that stands in another sentence begins with a small letter.
group-uplink = network circuit
group-feeder = power feeder
group-site = site
group-city = city
group-fleet = fleet
event-boot = restart
event-real-press = real press
event-test-press = test press
event-unanswered-press = unanswered press
event-battery-empty = empty battery
event-press-test = press test
event-selftest = self-test
# Between the parts of a list.
why-comma = {", "}
why-nothing = { $kind ->
    [heartbeat] no heartbeat
    [selftest] no self-test
    [power] no power message
    [press] no press
    [status] no status
   *[reply] no reply
} for { $span }, last at { $at }
why-heard-again = heard again after { $span }
why-first-heard = heard for the first time
why-never-heard = has never been heard
why-as-before = as it was before the first change that is kept
why-nothing-recorded = nothing is recorded of this time
why-never-passed = has never passed a self-test
why-not-yet-passed = has not yet passed: { $tests }
why-passed = tests passed: { $tests }
why-tests-overdue = last self-test at { $at }, more than { $span } ago
why-deaf = the monitor has heard nothing since { $at }
why-deaf-last = the monitor was deaf; this button was last heard at { $at }
why-doubt = { $n } of { $all } buttons fell silent at once: more likely the monitor is deaf
why-and-more = { $what }; and { $n } more
why-all-clear = all alerts resolved, tests passed
why-maintenance = in maintenance until { $at }
why-maintenance-over = maintenance is over
why-beyond = { $what } { $value } is { $side ->
    [below] below
   *[above] above
} { $limit }
why-in-a-row = { $what }, { $n } times in a row
why-within = { $what } { $value } is back { $side ->
    [below] at or above
   *[above] at or below
} { $limit }
why-baseline = { $what } { $value }{ $mode ->
    [ir] {" "}by infrared
   *[day] {""}
} is { $side ->
    [below] below
   *[above] above
} { $limit }; it was { $baseline } when new
why-changing = { $what } changes by { $value } within { $span }, { $side ->
    [below] below
   *[above] above
} { $limit }
why-foreseen = { $what } { $value } will be { $side ->
    [below] below
   *[above] above
} { $limit } on { $day } (between { $from } and { $until }, { $sure } % sure)
why-not-foreseen = { $what } is no longer on its way to the limit
why-and = { $first }; and { $next }
why-for = { $what }, for { $span }
why-brief = did not last: { $what }
why-tested = { $test } test { $result ->
    [pass] passed
    [fail] failed
    [inconclusive] was inconclusive
   *[skipped] was skipped
}
why-code = { $what } ({ $code })
why-counted = { $n ->
    [1] { $event } within { $span }
   *[other] { $event } { $n } times within { $span }
}
why-counted-fewer = { $n ->
    [0] no { $event } within { $span }
   *[other] { $event } only { $n } times within { $span }
}
why-overdue = no { $event } for { $span }, last at { $at }
why-overdue-never = no { $event } within { $span } of coming into service
why-done = { $event } done
why-flapping = { $what }; on and off: { $n } times within { $span }
why-inhibited = part of the { $kind } incident at { $name }
why-rule-gone = the rule is no longer in alerts.toml
why-unit-gone = the button is no longer in the fleet
why-rebaselined = its commissioning values are learned anew
why-together = { $n } of { $all } buttons of this { $kind } are affected
why-back-together = { $n } of { $all } buttons are well again
why-widened = taken over by the { $kind } incident at { $name }
why-fired-for = { $what }; alert firing for { $span }
why-incident-order = { $n } buttons share the { $kind } { $name }
why-incident-over = the { $kind } incident at { $name } is over
why-no-note = no note given
why-cleared = cleared by itself: { $what }
why-verified = passed after the repair: { $tests }; alerts stayed resolved for { $span }
why-stayed = alerts stayed resolved for { $span } after the repair
why-failed-after = { $test } test failed after the repair
why-firing-after = { $rule } fired again after the repair
why-relapsed = came back { $span } after it was closed: { $what }
why-joined = { $rule } joined: { $what }
why-diagnosed = { $what }; { $diagnosis }
why-after-maintenance = still wrong after maintenance: { $what }

# What a rule asks for: below 11.6 V, clear above 12.6 V. A part that stands in another sentence begins with a small letter.
asks-of = { $what }: { $asked }
asks-beyond = { $side ->
    [below] below
   *[above] above
} { $limit }
asks-share = { $side ->
    [below] below
   *[above] above
} { $n } % of the value when new
asks-gap = { $n } { $side ->
    [below] below
   *[above] above
} the value when new
asks-clear = { $asked }, good again { $clear }
asks-rate = changes by { $side ->
    [below] less
   *[above] more
} than { $limit } within { $per }, measured over { $over }
asks-forecast = { $asked }, expected within { $span }
asks-silent = { $kind ->
    [heartbeat] no heartbeat
    [selftest] no self-test
    [power] no power message
    [press] no press
    [status] no status
   *[reply] no reply
} for { $n } intervals
asks-slack = { $what } and { $span }
asks-count = { $n ->
    [1] { $event } at least once within { $span }
   *[other] { $event } at least { $n } times within { $span }
}
asks-overdue = no { $event } for { $span }
asks-once = { $what }, once there was one
asks-all = { $first } and { $next }
asks-any = { $first } or { $next }
# Inside another one: (this or that) and that.
asks-inner = ({ $what })
asks-only = only for: { $key } { $list }; this button has { $has }
asks-only-none = only for: { $key } { $list }; this button has none
only-unit = Button
only-site = Site
only-site_type = Kind of site
only-city = City
only-district = District
only-crew = Crew
only-uplink = Network circuit
only-feeder = Power feeder
only-model = Model

# What speaks for a work order
evidence-at = { $at }: { $what }
evidence-also = { $rule }: { $what }
evidence-reading = { $what } { $value }
evidence-new = { $what }; it was { $baseline } when new
evidence-others = of the { $all } others on the { $kind } { $name } { $n } are heard
evidence-dark = { $what }, { $n } without mains

# How it stands
figure-now = now: { $figure }
figure-limit = limit: { $figure }
figure-baseline = when new: { $figure }
figure-trend = trend: { $figure }
figure-last = last: { $figure }
figure-counted = counted: { $figure }
figure-allowed = allowed: { $figure }
figure-in-a-row = in a row: { $figure }
figure-reaches-the-limit = reaches the limit: { $figure }
figure-at = { $figure }, at { $at }
figure-mode = { $figure } ({ $mode ->
    [ir] by infrared
   *[day] by day
})
figure-within = { $figure } within { $span }
figure-of = { $n } of { $all }
figure-foreseen = { $day } (between { $from } and { $until }, { $sure } % sure)
figure-no-trend = none that can be trusted
figure-not-learned = not learned yet
figure-not-known = not known
yes = yes
no = no

# In one line under a chart
chart-none = no readings
chart-range = { $low } to { $high }, last { $last }
chart-always = always { $value }
chart-share = yes in { $pct } % of the readings, last { $last }
chart-counts = usually { $n } an hour, { $last } in the last hour that has any

# Readings
metric-battery-voltage = Battery voltage
metric-battery-charge = Battery charge
metric-battery-temperature = Battery temperature
metric-battery-current = Battery current
metric-battery-runtime = Battery runtime left
metric-battery-margin = Runtime beyond the cut
metric-battery-health = Battery health
metric-battery-state = Battery charge, estimated
metric-power-load = Power draw
metric-power-cut_minutes = Length of the cut
metric-mains-present = Mains present
metric-mains-voltage = Mains voltage
metric-link-rssi = Radio signal
metric-link-loss = Lost messages
metric-enclosure-temperature = Temperature in the box
metric-enclosure-tamper = Box open
metric-controller-uptime = Running since start
metric-controller-disk_free = Storage free
metric-controller-memory_free = Memory free
metric-camera-sharpness = Camera sharpness
metric-camera-luma = Camera brightness
metric-camera-changed = Camera view changed
metric-camera-fps = Camera pictures a second
metric-camera-frozen_frames = Camera frozen pictures
metric-microphone-tone = Microphone test tone
metric-microphone-ambient = Noise around
metric-microphone-clipping = Microphone clipping
metric-microphone-retries = Microphone test tries
metric-speaker-tone = Speaker test tone
metric-button-stuck = Button stuck
metric-button-contact = Button contact
metric-stream-connect_ms = Stream connecting
metric-stream-rate = Stream rate
metric-stream-loss = Stream loss
metric-press-held_ms = Button held
metric-press-ack_ms = Control room answered after
metric-press-age = Since the last test press
metric-selftest-age = Since the last self-test
metric-clock-skew = Clock off by
metric-heartbeats = Heartbeats an hour

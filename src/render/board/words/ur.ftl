# بورڈ کے الفاظ اردو میں۔ ترجمہ en.ftl کے مطابق ہے۔

language-name = اردو

# ہر صفحے کا ڈھانچا
skip-to-content = سیدھے مواد پر جائیں
nav-label = مینو
nav-board = بورڈ
nav-units = بٹن
nav-orders = کام کے آرڈر
nav-alerts = انتباہات
nav-incidents = مشترکہ واقعات
nav-rules = اصول
look-label = زبان اور رنگ
theme-light = روشن
theme-dark = گہرا
theme-auto = خودکار
someone = کوئی
role-viewer = صرف دیکھ سکتے ہیں
role-crew = عملہ
role-admin = منتظم
sign-in = داخل ہوں
sign-out = باہر نکلیں
as-of = یہ معلومات اس وقت کی ہیں:
times-are = اوقات کا علاقہ:
public-report = عوامی رپورٹ
live-lost = رابطہ ٹوٹ گیا ہے۔ جو نظر آ رہا ہے وہ پرانا ہو سکتا ہے؛ دوبارہ کوشش ہو رہی ہے۔
live-found = رابطہ بحال ہو گیا ہے۔
live-typing = کچھ بدل گیا ہے۔ فارم بھیجنے پر یا صفحہ دوبارہ کھولنے پر نظر آئے گا۔
go-back = واپس
show = دکھائیں
show-all = سب دکھائیں
clear = صاف کریں
any = کوئی بھی
since = کب سے:
never = کبھی نہیں
pages-label = صفحات
page-first = پہلا صفحہ
page-next = اگلا صفحہ
and-n-more = اور { $n } مزید

# وقت اور دورانیہ
ago-now = ابھی ابھی
ago-minutes = { $n } منٹ پہلے
ago-hours = { $n } گھنٹے پہلے
ago-days = { $n } دن پہلے
in-now = ابھی کچھ دیر میں
in-minutes = { $n } منٹ میں
in-hours = { $n } گھنٹے میں
in-days = { $n } دن میں
span-seconds = { $n } سیکنڈ
span-minutes = { $n } منٹ
span-hours = { $n } گھنٹے
span-days = { $n } دن
time-short = { $day } { $month } { $time }
time-day = { $day } { $month } { $year }
time-other-year = { $day } { $month } { $year } { $time }
month-1 = جنوری
month-2 = فروری
month-3 = مارچ
month-4 = اپریل
month-5 = مئی
month-6 = جون
month-7 = جولائی
month-8 = اگست
month-9 = ستمبر
month-10 = اکتوبر
month-11 = نومبر
month-12 = دسمبر
weekday-1 = پیر
weekday-2 = منگل
weekday-3 = بدھ
weekday-4 = جمعرات
weekday-5 = جمعہ
weekday-6 = ہفتہ
weekday-7 = اتوار

# کیا یہ بٹن مدد بلا سکتا ہے؟
readiness = تیاری
readiness-ready = تیار
readiness-ready-means = بٹن دبانے سے مدد آئے گی۔
readiness-impaired = کمزور
readiness-impaired-means = بٹن دبانے سے مدد آئے گی، مگر اتنی اچھی طرح نہیں جتنی آنی چاہیے۔
readiness-not-ready = تیار نہیں
readiness-not-ready-means = بٹن دبانے سے مدد نہیں آئے گی۔
readiness-silent = خاموش
readiness-silent-means = اس سے کوئی پیغام نہیں آ رہا۔ غالباً بٹن دبانے سے مدد نہیں آئے گی۔
readiness-unknown = نامعلوم
readiness-unknown-means = ہم اسے سن نہیں سکے۔ اس کا حال معلوم نہیں۔
readiness-unproven = غیر ثابت
readiness-unproven-means = اس نے اپنے ٹیسٹ پاس نہیں کیے، یا ٹیسٹ کا وقت گزر چکا ہے۔
readiness-maintenance = زیرِ مرمت
readiness-maintenance-means = اس پر کام ہو رہا ہے۔

component = حصہ
component-controller = کنٹرولر
component-battery = بیٹری
component-charger = چارجر
component-mains = بجلی
component-camera = کیمرا
component-microphone = مائیکروفون
component-speaker = اسپیکر
component-button = بٹن
component-uplink = نیٹ ورک کا رابطہ
component-stream = ویڈیو
component-clock = گھڑی
component-firmware = سافٹ ویئر
component-enclosure = ڈبا

severity = شدت
severity-critical = انتہائی سنگین
severity-major = سنگین
severity-minor = معمولی
severity-warning = خبردار

priority-P1 = P1 فوراً
priority-P2 = P2 آج
priority-P3 = P3 اسی ہفتے
priority-P4 = P4 اگلے چکر پر

state = حالت
state-opened = کھلا
state-acknowledged = ذمہ لے لیا گیا
state-en-route = راستے میں
state-repaired = مرمت ہو گئی
state-verified = تصدیق ہو گئی
state-closed = بند
state-reopened = دوبارہ کھلا
state-cancelled = منسوخ
do-acknowledged = میں یہ کام لیتا ہوں
do-en-route = میں راستے میں ہوں
do-repaired = مرمت ہو گئی
do-cancelled = آرڈر منسوخ کریں

alert-pending = انتظار میں
alert-firing = جاری
alert-inhibited = روکا ہوا
alert-resolved = ختم
flapping = بار بار آتا جاتا ہے

kind-uplink = نیٹ ورک سرکٹ
kind-feeder = بجلی کا فیڈر
kind-site = جگہ
kind-city = شہر
kind-fleet = تمام بٹن

outcome-pass = کامیاب
outcome-fail = ناکام
outcome-inconclusive = فیصلہ نہ ہو سکا
outcome-skipped = چھوڑ دیا گیا

standing-not-selected = اس بٹن کے لیے نہیں
standing-inactive = پُرسکون
standing-pending = انتظار میں
standing-firing = جاری
standing-clearing = ختم ہو رہا ہے
standing-held = روکا ہوا
says-holds = ایسا ہے
says-between = درمیان میں
says-not = ایسا نہیں
says-unknown = معلوم نہیں

# بورڈ
deaf = سروس اس وقت بٹنوں کو سن نہیں سکتی۔ جو نظر آ رہا ہے وہ پرانا ہے؛ خاموشی سے کچھ ثابت نہیں ہوتا۔
board-all-ready = { $n ->
    [one] بٹن تیار ہے
   *[other] تمام { $n } بٹن تیار ہیں
}
board-dead = { $all } میں سے { $n } بٹنوں سے مدد نہیں آئے گی
board-impaired = سب بٹنوں سے مدد آئے گی، مگر { $all } میں سے { $n } کمزور ہیں
board-not-sure = { $all } میں سے { $n } بٹنوں کے بارے میں معلوم نہیں کہ مدد آئے گی یا نہیں
board-empty = یہاں کوئی بٹن نہیں
show-all-cities = سب کچھ دکھائیں
counts-label = تیاری کے حساب سے بٹن
n-buttons = { $n } بٹن
n-open-orders = کام کے { $n } کھلے آرڈر
n-overdue = { $n } کا وقت گزر گیا
n-open-alerts = { $n ->
    [one] { $n } انتباہ
   *[other] { $n } انتباہات
}
n-open-incidents = { $n ->
    [one] { $n } مشترکہ واقعہ
   *[other] { $n } مشترکہ واقعات
}
broken-now = اس وقت خراب
nothing-broken = کوئی خرابی نہیں۔
all-n-broken = تمام { $n } دکھائیں
n-broken = { $n } خراب
map = نقشہ
map-label = بٹنوں کا نقشہ
skip-map = نقشہ چھوڑ کر آگے جائیں
legend = نشانوں کا مطلب
cities = شہر
n-unplaced = { $n ->
    [one] { $n } بٹن کا مقام معلوم نہیں
   *[other] { $n } بٹنوں کا مقام معلوم نہیں
}
n-sites = { $n } جگہیں
no-positions = کسی بٹن کا مقام معلوم نہیں۔ یہاں دیکھنے کے لیے fleet.csv میں lat اور lon لکھیں۔
km = { $n } کلومیٹر
m = { $n } میٹر
open-incidents = مشترکہ وجوہات
no-incidents-fit = کوئی مشترکہ وجہ نہیں ملی۔
no-incidents = کوئی مشترکہ وجہ نہیں۔
newest-changes = تازہ ترین تبدیلیاں
no-changes = ابھی تک کچھ نہیں بدلا۔
show-its-buttons = اس کے بٹن

# فہرستیں
city = شہر
any-city = کوئی بھی شہر
crew = عملہ
any-crew = کوئی بھی عملہ
filter = فلٹر
filter-help = شرطیں لکھیں اور درمیان میں خالی جگہ چھوڑیں: silent>10m, battery.voltage<11.8, open_orders>0, name~bazaar
filter-help-short = شرطیں لکھیں اور درمیان میں خالی جگہ چھوڑیں: priority=P1, component=battery, unit=PSH-001
filter-help-alerts = شرطیں لکھیں اور درمیان میں خالی جگہ چھوڑیں: component=camera, since>1d, city=Peshawar, reason~battery
filter-help-incidents = شرطیں لکھیں اور درمیان میں خالی جگہ چھوڑیں: kind=feeder, size>5, name~fibre, since>1h
filter-wrong = فلٹر سمجھ میں نہیں آیا۔ درست کرنے تک کچھ چھانٹا نہیں جائے گا۔
sorted-by = ترتیب:
sort-name = شناخت
sort-since = تازہ ترین تبدیلی
sort-longest = سب سے لمبے عرصے سے
sort-near = قریب ترین
near = کس جگہ کے قریب
near-help = عرض بلد اور طول بلد، جیسے نقشے پر لکھے ہوتے ہیں: قریب ترین بٹن پہلے آتے ہیں۔
near-wrong = یہ مقام سمجھ میں نہیں آیا:
near-here = اس کے قریب کے بٹن
broken-near-me = میرے قریب کیا خراب ہے؟
where-i-am = جہاں میں ہوں
where-unknown = یہ براؤزر آپ کا مقام نہیں بتاتا۔ اسے اجازت دیں، یا عرض بلد اور طول بلد لکھیں۔
away = { $distance } { $direction }
direction-north = شمال میں
direction-north-east = شمال مشرق میں
direction-east = مشرق میں
direction-south-east = جنوب مشرق میں
direction-south = جنوب میں
direction-south-west = جنوب مغرب میں
direction-west = مغرب میں
direction-north-west = شمال مغرب میں
no-units = کوئی بٹن نہیں ملا۔
n-orders = کام کے { $n } آرڈر
all-open = تمام کھلے
closed-too = بند بھی
no-orders = کام کا کوئی آرڈر نہیں ملا۔
no-alerts = کوئی انتباہ نہیں ملا۔
incidents-help = کئی بٹنوں کی ایک ہی وجہ: نیٹ ورک سرکٹ، بجلی کا فیڈر، جگہ یا شہر۔ اس کے لیے کئی کے بجائے ایک ہی آرڈر ہوتا ہے۔
rule = اصول

# ایک بٹن
last-heard = آخری پیغام:
maintenance-until = زیرِ مرمت، اس وقت تک:
where-and-who = کہاں اور کون
site = جگہ
address = پتا
contact = رابطہ
model = ماڈل
firmware = سافٹ ویئر
lost-messages = گم شدہ پیغامات
silent-at = اس وقت سے خاموش شمار ہو گا
position = مقام
on-the-map = نقشے پر
open-trouble = آرڈر اور انتباہات
no-trouble = نہ کوئی کھلا آرڈر ہے، نہ کوئی انتباہ۔
do-something = کارروائی
asked-lately = حال ہی میں اس سے کیا کہا گیا
asked-selftest = خود ٹیسٹ
asked-locate = بتی جلانا
asked-reboot = دوبارہ چلانا
command-waiting = اس کا انتظار ہے
command-sent = بھیج دیا گیا
command-accepted = ہو رہا ہے
command-refused = انکار کر دیا
command-done = ہو گیا
command-expired = کوئی جواب نہیں آیا
hindered-away = اس کا رابطہ نہیں ہے۔ رابطہ بحال ہوتے ہی اس سے کہا جائے گا۔
hindered-takes-no-commands = رابطہ ہے، مگر اس کا سافٹ ویئر حکم نہیں لیتا۔
hindered-slow = رابطہ ہے، مگر جواب نہیں آتا۔ بار بار کہا جا رہا ہے۔
hindered-broker-away = بیرونی بروکر سے رابطہ نہیں۔ رابطہ بحال ہوتے ہی بٹن سے کہا جائے گا۔
expired-unanswered = اسے کہا گیا مگر وقت پر جواب نہیں آیا۔
do-selftest = خود ٹیسٹ چلائیں
do-locate = بتی جلا کر دکھائیں
do-reboot = دوبارہ چلائیں
do-reboot-help = دوبارہ چلنے کے دوران اس سے مدد نہیں بلائی جا سکتی۔ اس میں چند منٹ لگتے ہیں۔
do-reboot-now = ابھی دوبارہ چلائیں
do-maintenance = زیرِ مرمت رکھیں
maintenance-for = زیرِ مرمت کی مدت
maintenance-end = ابھی ختم کریں
maintenance-of = کس کے لیے
this-button = یہ بٹن
all-of-site = اس جگہ کے تمام بٹن
n-hours = { $n } گھنٹے
your-name = آپ کا نام
charts = گراف
charts-day = پچھلا دن
charts-week = پچھلا ہفتہ
no-readings = کوئی پیمائش نہیں۔
last-readings = آخری پیمائشیں
reading = پیمائش
value = مقدار
limits = حدیں
measured = کب ناپا گیا
beyond-limit = حد سے باہر
tests = خود ٹیسٹ
result = نتیجہ
tested = کب ہوا
no-tests = اس نے ابھی تک خود کو ٹیسٹ نہیں کیا۔
presses = بٹن کا دبایا جانا
press-real = مدد کے لیے
press-test = آزمائش کے لیے
press-answered = کنٹرول روم نے جواب دیا
press-answered-after = کنٹرول روم نے { $span } بعد جواب دیا
press-unanswered = کسی نے جواب نہیں دیا
press-not-known = معلوم نہیں کہ جواب ملا یا نہیں
siblings = اسی سرکٹ کے دوسرے بٹن
readiness-history = پچھلے 7 دن کی تیاری
available-pct = { $pct } % وقت مدد کے لیے تیار رہا
available-unknown = یہ کہنے کے لیے معلومات کم ہیں کہ کتنا وقت تیار رہا
all-changes = تمام تبدیلیاں
how-rules-stand = ہر اصول کا حال
diagnoses = تشخیص
rules-active = { $n } جاری یا انتظار میں
rules-quiet = { $n } پُرسکون
rules-not-for = { $n } اس بٹن کے لیے نہیں
due = مقررہ وقت
held-by = جس نے روکا:

# کام کا ایک آرڈر
opened-at = کھلا:
closed-at = بند ہوا:
due-in = مقررہ وقت { $in }
due-late = مقررہ وقت سے { $span } اوپر
due-next-visit = اگلے چکر پر کرنا ہے
n-relapses = { $n } بار واپس آیا
move-it-on = آگے بڑھائیں
note = نوٹ، اگر چاہیں: کیا ملا یا کیا کیا
what-to-do = کیا کرنا ہے
bring = ساتھ لائیں
suspects = ممکنہ وجوہات
evidence = کیا دیکھا گیا
rules-of-order = اصول
history = تاریخ
test-waiting = بٹن سے کہا گیا ہے کہ خود کو ٹیسٹ کرے۔ جواب آتے ہی یہاں نظر آئے گا۔
test-passed = مرمت کے بعد ٹیسٹ کامیاب رہا۔ خرابی واپس نہ آئی تو آرڈر خود بند ہو جائے گا۔ ٹیسٹ کا وقت:
test-failed = مرمت کے بعد ٹیسٹ ناکام رہا۔ ابھی ٹھیک نہیں ہوا۔ ٹیسٹ کا وقت:
test-unclear = مرمت کے بعد ٹیسٹ سے فیصلہ نہ ہو سکا۔ بٹن دوبارہ ٹیسٹ کرے گا۔ ٹیسٹ کا وقت:
said-repaired = بتایا گیا ہے کہ مرمت ہو گئی۔ خرابی واپس نہ آئی تو آرڈر خود بند ہو جائے گا۔

# اصول
rules-help = کس چیز کو خرابی سمجھا جاتا ہے، جیسا alerts.toml میں لکھا ہے، اور ہر اصول اس وقت کتنے بٹنوں پر لاگو ہے۔
n-firing = { $n } جاری
n-inhibited = { $n } روکے ہوئے
n-pending = { $n } انتظار میں
n-open = { $n } کھلے
rule-quiet = پُرسکون
rule-for = کم از کم اتنی دیر رہے:
rule-clear-for = اتنی دیر ختم رہے:
rule-makes = بٹن کی حالت:
rule-order = آرڈر
rule-no-order = کسی کو نہیں بھیجا جاتا
rule-selective = صرف کچھ بٹنوں کے لیے
n-overrides = { $n ->
    [one] ایک گروہ کے لیے الگ حدیں
   *[other] { $n } گروہوں کے لیے الگ حدیں
}
common-causes = مشترکہ وجوہات
incident-when = جب کم از کم { $n } بٹنوں، اور گروہ کے { $pct } % بٹنوں میں، ان میں سے کوئی انتباہ ہو:

# داخلہ
sign-in-help = وہ ٹوکن لکھیں جو آپ کو دیا گیا ہے۔ یہ اس براؤزر میں { $hours } گھنٹے تک، یا آپ کے باہر نکلنے تک رہے گا۔
access-token = ٹوکن
signed-out = آپ باہر نکل گئے ہیں۔
sign-in-wrong = یہ ٹوکن درست نہیں۔ دیکھیں کہ کوئی حرف رہ تو نہیں گیا، پھر کوشش کریں۔

# فارم کے بعد
done-order = شکریہ۔ آرڈر آگے بڑھا دیا گیا ہے۔
done-maintenance = زیرِ مرمت رکھ دیا گیا ہے۔
done-maintenance-ended = مرمت کا وقت ختم کر دیا گیا ہے۔
done-command = بٹن سے کہہ دیا گیا ہے۔ جواب اسی صفحے پر نظر آئے گا۔
changed-meanwhile = کچھ نہیں بدلا گیا: آپ کے صفحہ کھولنے کے بعد کسی نے، یا سروس نے، اسے آگے بڑھا دیا۔ اب حال یہ ہے۔
nothing-changed = کچھ نہیں بدلا گیا۔
name-wanted = کچھ نہیں بدلا گیا: پہلے اپنا نام لکھیں۔
form-old = کچھ نہیں بدلا گیا: یہ صفحہ بہت دیر سے کھلا تھا۔ ایک بار پھر کوشش کریں۔

# جب کوئی خرابی ہو
problem-not-found = یہ یہاں نہیں ہے
problem-not-found-help = پتا غلط ہے، یا یہ چیز اب موجود نہیں۔ فہرستوں میں تلاش کریں۔
problem-not-allowed = آپ کو اس کی اجازت نہیں
problem-not-allowed-help = اس کے لیے دوسرا درجہ چاہیے۔ منتظم سے ایسا ٹوکن مانگیں جس میں اجازت ہو۔
problem-foreign = یہ فارم کسی اور سائٹ سے آیا ہے
problem-foreign-help = کچھ نہیں بدلا گیا۔ اسی سروس کا صفحہ کھولیں اور اس کا اپنا فارم بھیجیں۔
problem-conflict = معاملہ آگے بڑھ چکا ہے
problem-conflict-help = کچھ نہیں بدلا گیا۔ پہلے موجودہ حال دیکھیں، پھر مناسب کارروائی کریں۔
problem-invalid = یہ اس طرح نہیں ہو سکتا
problem-invalid-help = کچھ نہیں بدلا گیا۔ یہاں لکھی ہوئی غلطی درست کریں، پھر کوشش کریں۔
problem-unavailable = سروس اس وقت جواب نہیں دے سکتی
problem-unavailable-help = یہ شروع یا بند ہو رہی ہے، یا مصروف ہے۔ چند سیکنڈ بعد صفحہ دوبارہ کھولیں۔
problem-internal = کچھ غلط ہو گیا
problem-internal-help = یہ Buttonwatch کی اپنی غلطی ہے۔ منتظم کو بتائیں؛ اس وقت کے لاگ میں تفصیل ہے۔
problem-too-large = یہ بہت لمبا ہے
problem-too-large-help = کچھ نہیں بدلا گیا۔ مختصر نوٹ لکھیں۔
problem-wrong-method = کچھ نہیں ہوا
problem-wrong-method-help = یہ پتا صفحے کے بٹنوں کے لیے ہے۔ صفحہ کھولیں اور اس کے بٹن استعمال کریں۔
problem-misdirected = یہ پتا یہاں نہیں چلتا
problem-misdirected-help = سروس صرف اسی مشین پر جواب دیتی ہے۔ localhost استعمال کریں۔

# وجہ: جو دیکھا گیا اس کے جملے
group-uplink = نیٹ ورک سرکٹ
group-feeder = بجلی کے فیڈر
group-site = جگہ
group-city = شہر
group-fleet = پورے نظام
event-boot = دوبارہ چلنا
event-real-press = مدد کے لیے بٹن دبنا
event-test-press = آزمائش کے لیے بٹن دبنا
event-unanswered-press = بٹن دبنے پر جواب نہ ملنا
event-battery-empty = بیٹری خالی ہونا
event-press-test = بٹن دبا کر ٹیسٹ
event-selftest = خود ٹیسٹ
why-comma = {"، "}
why-nothing = { $span } سے { $kind ->
    [heartbeat] کوئی پیغام نہیں آیا
    [selftest] خود ٹیسٹ کا نتیجہ نہیں آیا
    [power] بجلی کا حال نہیں آیا
    [press] بٹن نہیں دبایا گیا
    [status] حالت کا پیغام نہیں آیا
   *[reply] کوئی جواب نہیں آیا
}، آخری بار { $at }
why-heard-again = { $span } بعد دوبارہ پیغام آیا
why-first-heard = پہلی بار پیغام آیا
why-never-heard = اس سے کبھی کوئی پیغام نہیں آیا
why-as-before = وہی حال جو محفوظ ریکارڈ کی پہلی تبدیلی سے پہلے تھا
why-nothing-recorded = اس وقت کا کوئی ریکارڈ نہیں
why-never-passed = اس نے کبھی خود ٹیسٹ پاس نہیں کیا
why-not-yet-passed = ابھی تک پاس نہیں کیے: { $tests }
why-passed = ٹیسٹ پاس: { $tests }
why-tests-overdue = آخری خود ٹیسٹ { $at } پر ہوا، { $span } سے زیادہ پہلے
why-deaf = سروس نے { $at } سے کچھ نہیں سنا
why-deaf-last = سروس سن نہیں سکتی تھی؛ اس بٹن کا آخری پیغام { $at } پر آیا
why-doubt = { $all } میں سے { $n } بٹن ایک ساتھ خاموش ہوئے: غالباً سروس خود سن نہیں رہی
why-and-more = { $what }؛ اور { $n } مزید
why-all-clear = تمام انتباہات ختم، ٹیسٹ پاس
why-maintenance = { $at } تک زیرِ مرمت
why-maintenance-over = مرمت کا وقت ختم
why-beyond = { $what } { $value } ہے، حد { $limit } سے { $side ->
    [below] کم
   *[above] زیادہ
}
why-in-a-row = { $what }، لگاتار { $n } بار
why-within = { $what } { $value } ہے، دوبارہ حد { $limit } { $side ->
    [below] پر یا اس سے اوپر
   *[above] پر یا اس سے نیچے
}
why-baseline = { $what } { $value }{ $mode ->
    [ir] {" "}(انفراریڈ)
   *[day] {""}
} ہے، حد { $limit } سے { $side ->
    [below] کم
   *[above] زیادہ
}؛ نیا ہونے پر { $baseline } تھا
why-changing = { $what } { $span } میں { $value } بدلتا ہے، حد { $limit } سے { $side ->
    [below] نیچے
   *[above] زیادہ
}
why-foreseen = { $what } { $value }، اندازہ ہے کہ { $day } کو حد { $limit } سے { $side ->
    [below] کم
   *[above] زیادہ
} ہو گا ({ $from } اور { $until } کے درمیان، یقین { $sure } %)
why-not-foreseen = { $what } اب حد کی طرف نہیں جا رہا
why-and = { $first }؛ اور { $next }
why-for = { $what }، { $span } سے
why-brief = زیادہ دیر نہیں رہا: { $what }
why-tested = { $test }: ٹیسٹ { $result ->
    [pass] کامیاب
    [fail] ناکام
    [inconclusive] بے نتیجہ
   *[skipped] نہیں ہوا
}
why-code = { $what } ({ $code })
why-counted = { $n ->
    [1] { $span } میں ایک بار: { $event }
   *[other] { $span } میں { $n } بار: { $event }
}
why-counted-fewer = { $n ->
    [0] { $span } میں ایک بار بھی نہیں: { $event }
   *[other] { $span } میں صرف { $n } بار: { $event }
}
why-overdue = { $span } سے نہیں ہوا: { $event }، آخری بار { $at }
why-overdue-never = کام شروع ہونے کے { $span } بعد تک نہیں ہوا: { $event }
why-done = ہو گیا: { $event }
why-flapping = { $what }؛ بار بار آتا جاتا ہے: { $span } میں { $n } بار
why-inhibited = { $kind } { $name } کے مشترکہ واقعے کا حصہ
why-rule-gone = یہ اصول اب alerts.toml میں نہیں
why-unit-gone = یہ بٹن اب نظام میں نہیں
why-rebaselined = اس کی ابتدائی پیمائشیں نئے سرے سے لی جا رہی ہیں
why-together = اس { $kind } کے { $all } میں سے { $n } بٹن متاثر ہیں
why-back-together = { $all } میں سے { $n } بٹن دوبارہ ٹھیک ہیں
why-widened = اب { $kind } { $name } کے مشترکہ واقعے میں شامل
why-fired-for = { $what }؛ انتباہ { $span } سے جاری
why-incident-order = { $n } بٹن ایک ہی { $kind } { $name } پر ہیں
why-incident-over = { $kind } { $name } کا مشترکہ واقعہ ختم
why-no-note = کوئی نوٹ نہیں
why-cleared = خود ہی ٹھیک ہو گیا: { $what }
why-verified = مرمت کے بعد پاس: { $tests }؛ { $span } تک کوئی انتباہ نہیں آیا
why-stayed = مرمت کے بعد { $span } تک کوئی انتباہ نہیں آیا
why-failed-after = مرمت کے بعد ٹیسٹ ناکام: { $test }
why-firing-after = مرمت کے بعد { $rule } دوبارہ جاری
why-relapsed = بند ہونے کے { $span } بعد واپس آیا: { $what }
why-joined = { $rule } بھی شامل ہوا: { $what }
why-diagnosed = { $what }؛ { $diagnosis }
why-after-maintenance = مرمت کے بعد بھی خراب: { $what }

# اصول کیا دیکھتا ہے: 11.6 V سے کم، دوبارہ ٹھیک 12.6 V سے زیادہ
asks-of = { $what }: { $asked }
asks-beyond = { $limit } سے { $side ->
    [below] کم
   *[above] زیادہ
}
asks-share = نیا ہونے کی مقدار کے { $n } % سے { $side ->
    [below] کم
   *[above] زیادہ
}
asks-gap = نیا ہونے کی مقدار سے { $n } { $side ->
    [below] کم
   *[above] زیادہ
}
asks-clear = { $asked }، دوبارہ ٹھیک: { $clear }
asks-rate = { $per } میں { $limit } سے { $side ->
    [below] کم
   *[above] زیادہ
} تبدیلی، { $over } میں ناپی گئی
asks-forecast = { $asked }، اندازہ ہے کہ { $span } کے اندر
asks-silent = { $n } وقفوں تک { $kind ->
    [heartbeat] کوئی پیغام نہیں
    [selftest] خود ٹیسٹ کا کوئی نتیجہ نہیں
    [power] بجلی کا حال نہیں
    [press] بٹن نہیں دبایا گیا
    [status] حالت کا پیغام نہیں
   *[reply] کوئی جواب نہیں
}
asks-slack = { $what }، اور مزید { $span }
asks-count = { $n ->
    [1] { $span } میں کم از کم ایک بار: { $event }
   *[other] { $span } میں کم از کم { $n } بار: { $event }
}
asks-overdue = { $span } سے نہیں ہوا: { $event }
asks-once = { $what } (اگر پہلے کبھی ہوا ہو)
asks-all = { $first } اور { $next }
asks-any = { $first } یا { $next }
asks-inner = ({ $what })
asks-only = صرف ان کے لیے: { $key } { $list }؛ اس بٹن کا: { $has }
asks-only-none = صرف ان کے لیے: { $key } { $list }؛ اس بٹن کا کوئی نہیں
only-unit = بٹن
only-site = جگہ
only-site_type = جگہ کی قسم
only-city = شہر
only-district = ضلع
only-crew = عملہ
only-uplink = نیٹ ورک سرکٹ
only-feeder = بجلی کا فیڈر
only-model = ماڈل

# آرڈر کی وجہ کیا دیکھا گیا
evidence-at = { $at }: { $what }
evidence-also = { $rule }: { $what }
evidence-reading = { $what } { $value }
evidence-new = { $what }؛ نیا ہونے پر { $baseline } تھا
evidence-others = { $kind } { $name } کے باقی { $all } میں سے { $n } بٹنوں کے پیغام آ رہے ہیں
evidence-dark = { $what }، { $n } بجلی کے بغیر

# اب کیا حال ہے
figure-now = اب: { $figure }
figure-limit = حد: { $figure }
figure-baseline = نیا ہونے پر: { $figure }
figure-trend = رجحان: { $figure }
figure-last = آخری بار: { $figure }
figure-counted = گنتی: { $figure }
figure-allowed = اجازت: { $figure }
figure-in-a-row = لگاتار: { $figure }
figure-reaches-the-limit = حد تک پہنچے گا: { $figure }
figure-at = { $figure }، { $at } پر
figure-mode = { $figure } ({ $mode ->
    [ir] انفراریڈ
   *[day] دن میں
})
figure-within = { $span } میں { $figure }
figure-of = { $all } میں سے { $n }
figure-foreseen = { $day } ({ $from } اور { $until } کے درمیان، یقین { $sure } %)
figure-no-trend = قابلِ بھروسا نہیں
figure-not-learned = ابھی معلوم نہیں ہوئی
figure-not-known = معلوم نہیں
yes = ہاں
no = نہیں

# گراف کے نیچے ایک سطر
chart-none = کوئی پیمائش نہیں
chart-range = { $low } سے { $high } تک، آخری { $last }
chart-always = ہمیشہ { $value }
chart-share = { $pct } % پیمائشوں میں ہاں، آخری { $last }
chart-counts = عام طور پر { $n } فی گھنٹہ، آخری گھنٹے میں { $last }

# پیمائشیں
metric-battery-voltage = بیٹری کا وولٹیج
metric-battery-charge = بیٹری کا چارج
metric-battery-temperature = بیٹری کا درجۂ حرارت
metric-battery-current = بیٹری کا کرنٹ
metric-battery-runtime = بیٹری کا باقی وقت
metric-battery-margin = لوڈ شیڈنگ کے بعد بچنے والا وقت
metric-battery-health = بیٹری کی صحت
metric-battery-state = بیٹری کا چارج، اندازاً
metric-power-load = بجلی کا خرچ
metric-power-cut_minutes = بجلی کب سے بند ہے
metric-mains-present = بجلی موجود
metric-mains-voltage = بجلی کا وولٹیج
metric-link-rssi = سگنل کی طاقت
metric-link-loss = گم شدہ پیغامات
metric-enclosure-temperature = ڈبے کا درجۂ حرارت
metric-enclosure-tamper = ڈبا کھلا
metric-controller-uptime = کب سے چل رہا ہے
metric-controller-disk_free = خالی جگہ
metric-controller-memory_free = خالی میموری
metric-camera-sharpness = کیمرے کی صفائی
metric-camera-luma = کیمرے کی روشنی
metric-camera-changed = کیمرے کا منظر بدلا
metric-camera-fps = کیمرے کی تصویریں فی سیکنڈ
metric-camera-frozen_frames = کیمرے کی رکی ہوئی تصویریں
metric-microphone-tone = مائیکروفون کی ٹیسٹ آواز
metric-microphone-ambient = آس پاس کا شور
metric-microphone-clipping = مائیکروفون میں آواز کا پھٹنا
metric-microphone-retries = مائیکروفون ٹیسٹ کی کوششیں
metric-speaker-tone = اسپیکر کی ٹیسٹ آواز
metric-button-stuck = بٹن پھنسا ہوا
metric-button-contact = بٹن کا جوڑ
metric-stream-connect_ms = ویڈیو جڑنے کا وقت
metric-stream-rate = ویڈیو کی رفتار
metric-stream-loss = ویڈیو کا نقصان
metric-press-held_ms = بٹن دبا رہا
metric-press-ack_ms = کنٹرول روم نے جواب دیا
metric-press-age = پچھلے ٹیسٹ دبانے سے اب تک
metric-selftest-age = پچھلے خود ٹیسٹ سے اب تک
metric-clock-skew = گھڑی میں فرق
metric-heartbeats = فی گھنٹہ پیغامات

// The board in a real browser, as a crew uses it: from the map to the closed order, on a phone and on a desk, with and without
// JavaScript, in English and in Urdu; then axe-core over every page. Arguments: the board's address, then a folder for
// screenshots or "-". Ends with 1 and says each thing that was not as it should be.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [base, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 120_000;
const STORIES = [
  { unit: "PSH-001", width: 360, js: true, lang: "en" },
  { unit: "PSH-002", width: 360, js: false, lang: "en" },
  { unit: "PSH-003", width: 1280, js: true, lang: "en" },
  { unit: "PSH-004", width: 1280, js: false, lang: "en" },
  { unit: "PSH-005", width: 360, js: true, lang: "ur" },
  { unit: "PSH-006", width: 1280, js: false, lang: "ur" },
];

const wrong = [];
function check(is_so, what) {
  if (!is_so) {
    wrong.push(what);
    console.log(`WRONG  ${what}`);
  }
}

async function shoot(page, name) {
  if (shots !== "-") await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

async function fits(page, where) {
  const [wide, seen] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  check(wide <= seen, `${where}: ${wide} px wide in a window of ${seen}`);
}

/** Until the order is in this state: live when there is JavaScript, by looking again when there is none. */
async function until_state(page, state, js, where) {
  const there = `article[data-state="${state}"]`;
  if (js) {
    await page.waitForSelector(there, { timeout: PATIENCE });
    return;
  }
  for (const began = Date.now(); Date.now() - began < PATIENCE; ) {
    if (await page.$(there)) return;
    await page.waitForTimeout(500);
    await page.reload();
  }
  const is = await page.locator("article").getAttribute("data-state");
  check(false, `${where}: the order did not become ${state}, it is ${is}`);
}

async function story(browser, { unit, width, js, lang }) {
  const where = `${unit} ${width} px ${js ? "with" : "without"} JavaScript ${lang}`;
  const context = await browser.newContext({
    viewport: { width, height: width < 500 ? 740 : 800 },
    javaScriptEnabled: js,
    hasTouch: width < 500,
    locale: "en-GB",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => check(false, `${where}: ${error}`));
  page.on("request", (request) => check(request.url().startsWith(base), `${where}: asks ${request.url()}`));
  page.on("console", (line) => check(line.type() !== "error", `${where}: console: ${line.text()}`));
  try {
    await page.goto(`${base}/?lang=${lang}`);
    const html = page.locator("html");
    check((await html.getAttribute("lang")) === lang, `${where}: the language`);
    check((await html.getAttribute("dir")) === (lang === "ur" ? "rtl" : "ltr"), `${where}: the direction`);
    await fits(page, `${where}: board`);
    await shoot(page, `board-${width}-${lang}-${js ? "js" : "plain"}`);

    // By keyboard alone: the first stop leads past the menu.
    await page.keyboard.press("Tab");
    check(await page.evaluate(() => document.activeElement.matches("a.skip")), `${where}: the first stop is not the skip link`);

    await page.locator('[data-count="not-ready"] a').click();
    await page.waitForURL(/\/units\?.*readiness=not-ready|\/units\?.*filter=/);
    await fits(page, `${where}: units`);
    // A phone shows what was asked for, not the form.
    if (width < 500) await page.locator("#asked > summary").tap();
    await page.locator('input[name="filter"]').fill(`unit=${unit}`);
    await page.locator("form.filter button.primary").click();
    await page.waitForURL((url) => url.search.includes(unit));
    check((await page.locator("#units > li").count()) === 1, `${where}: the filter leaves one unit`);
    await shoot(page, `units-${width}-${lang}-${js ? "js" : "plain"}`);

    await page.locator(`#units [data-unit="${unit}"] a.row-main`).click();
    await page.waitForURL(`**/units/${unit}`);
    await fits(page, `${where}: unit`);
    const why = await page.locator("main p.why").innerText();
    check(/[\u0600-\u06ff]/.test(why) === (lang === "ur"), `${where}: why is said in another language: ${why}`);
    await shoot(page, `unit-${width}-${lang}-${js ? "js" : "plain"}`);

    await page.locator('main a[href^="/orders/WO-"]').first().click();
    await page.waitForURL("**/orders/WO-*");
    await page.waitForSelector('article[data-state="opened"]');
    await fits(page, `${where}: order`);
    await page.locator('input[name="by"]').fill(lang === "ur" ? "گل خان" : "Gul Khan");
    await page.locator('button[data-do="acknowledged"]').click();
    await page.waitForSelector('article[data-state="acknowledged"]');
    check((await page.locator("[data-flash]").count()) === 1, `${where}: it is said that it was done`);

    const name = page.locator('input[name="by"]');
    if (await name.count()) await name.fill("Gul Khan");
    await page.locator('textarea[name="note"]').fill("lens cleaned, cable pressed home");
    await page.locator('button[data-do="repaired"]').click();
    // The unit is tested at once, and everything must hold for ten seconds.
    await until_state(page, "closed", js, where);
    check((await page.locator('#history [data-state="verified"]').count()) > 0, `${where}: verified stands in its history`);
    check((await page.locator('button[data-do="repaired"]').count()) === 0, `${where}: nothing is left to do`);
    await shoot(page, `order-${width}-${lang}-${js ? "js" : "plain"}`);
    console.log(`done   ${where}`);
  } catch (error) {
    await shoot(page, `stuck-${unit}`).catch(() => {});
    check(false, `${where}: ${page.url()}: ${error.message.split("\n").slice(0, 4).join(" | ")}`);
  } finally {
    await context.close();
  }
}

/** "What is broken near me?": one tap on a phone that says where it is, the form on one that does not. */
async function near_me(browser) {
  for (const [lang, may] of [["en", true], ["ur", true], ["en", false]]) {
    const where = `near me ${lang}${may ? "" : ", not allowed"}`;
    const geolocation = { latitude: 34.0086, longitude: 71.5743 };
    const permissions = may ? ["geolocation"] : [];
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, geolocation, permissions });
    const page = await context.newPage();
    page.on("pageerror", (error) => check(false, `${where}: ${error}`));
    try {
      await page.goto(`${base}/?lang=${lang}`);
      await page.locator("a[data-here]").tap();
      await page.waitForURL((url) => url.pathname === "/units" && url.searchParams.getAll("readiness").length === 3);
      if (may) {
        check(new URL(page.url()).searchParams.get("near") === "34.0086,71.5743", `${where}: ${page.url()}`);
        const first = page.locator("#units > li").first();
        check((await first.boundingBox()).y < 600, `${where}: the answer is not on the first screen`);
        check(/\d/.test(await first.locator(".away").innerText()), `${where}: no distance`);
        check((await first.locator(".row-why").innerText()).length > 5, `${where}: no reason`);
      } else {
        // The link to the field unfolds the form.
        await page.locator("button[data-here]").tap();
        await page.waitForFunction(() => document.getElementById("near-help").textContent.includes("does not say"));
      }
      await fits(page, where);
      await shoot(page, `near-${lang}-${may ? "found" : "refused"}`);
    } catch (error) {
      check(false, `${where}: ${page.url()}: ${error.message.split("\n").slice(0, 4).join(" | ")}`);
    } finally {
      await context.close();
    }
  }
  console.log("what is broken near me is found by phone");
}

const PAGES = ["/", "/units", "/units/PSH-001", "/orders", "/orders/1", "/incidents", "/alerts", "/rules", "/nowhere", "/public"];

async function look_over(browser) {
  for (const [lang, scheme, width] of [["en", "light", 1280], ["en", "dark", 360], ["ur", "light", 360], ["ur", "dark", 1280]]) {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme, bypassCSP: true });
    const page = await context.newPage();
    for (const path of PAGES) {
      const where = `${path} ${lang} ${scheme} ${width} px`;
      await page.goto(`${base}${path}?lang=${lang}`.replace(/\/public\?.*/, "/public"));
      await fits(page, where);
      await page.evaluate(axe);
      const found = await page.evaluate(() => axe.run(document));
      for (const v of found.violations.filter((v) => ["serious", "critical"].includes(v.impact))) {
        check(false, `${where}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 140)).join(" … ")}`);
      }
      await shoot(page, `look-${path.replaceAll("/", "_")}-${lang}-${scheme}-${width}`);
    }
    await context.close();
  }
  console.log(`looked over ${PAGES.length} pages, four ways`);
}

/** Everything that the first page needs, in bytes as they travel. */
async function weigh(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const parts = [];
  const weighed = (request) => {
    if (!new URL(request.url()).pathname.endsWith("/events")) parts.push(request.response().then((answer) => answer.body()));
  };
  page.on("requestfinished", weighed);
  await page.goto(`${base}/`, { waitUntil: "load" });
  // What comes later, such as the end of the live connection when the page closes, is no part of the first page.
  page.off("requestfinished", weighed);
  const bytes = (await Promise.all(parts)).reduce((sum, part) => sum + part.length, 0);
  const took = await page.evaluate(() => performance.getEntriesByType("navigation")[0].responseEnd);
  console.log(`the first page: ${(bytes / 1024).toFixed(0)} KiB, its HTML there after ${took.toFixed(0)} ms`);
  check(bytes > 5_000 && bytes <= 200_000, `the first page has ${bytes} bytes`);
  await context.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  await weigh(browser);
  // A board on the wall: nobody touches it, and it must be right at the end.
  const wall = await (await browser.newContext()).newPage();
  await wall.goto(`${base}/`);
  const broken = Number(await wall.locator('[data-count="not-ready"] b').innerText());
  check(broken === STORIES.length, `${broken} units are not ready at the start`);
  await look_over(browser);
  await near_me(browser);
  await Promise.all(STORIES.map((one) => story(browser, one)));
  await wall.waitForSelector('[data-count="not-ready"].none', { timeout: PATIENCE, state: "attached" })
    .catch(() => check(false, "the board on the wall did not see the repairs"));
} finally {
  await browser.close();
}
console.log(wrong.length ? `${wrong.length} things are wrong` : "all is well");
process.exit(wrong.length ? 1 : 0);

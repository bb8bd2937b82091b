/** A real browser for suites that look at pages: Chromium of this machine, driven by playwright-core, checked by axe. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';

const PATHS = [
  process.env['CHROMIUM_PATH'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];

/** Where Chromium is; undefined when this machine has none. */
export const findChromium = (): string | undefined => PATHS.find((path) => path !== '' && existsSync(path));

/**
 * Starts Chromium, or skips the suite with one line that says what it needs. For `before(function () { … })`.
 * The caller closes it.
 */
export async function startChromium(suite: Mocha.Context): Promise<Browser> {
  suite.timeout(60_000);
  const executablePath = findChromium();
  if (executablePath === undefined) {
    console.log('      needs Chromium: install it, or name it in CHROMIUM_PATH');
    return suite.skip();
  }
  const { chromium } = await import('playwright-core');
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the browser said on its console and in violations of the content policy. */
  readonly complaints: readonly string[];
}

/** A page in a context of its own, whose complaints are kept. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    // Refused sign-ins and faulty forms have a status above 400, which Chromium reports as if it were a fault.
    if (
      ['error', 'warning'].includes(message.type()) &&
      !/the server responded with a status of 4/.test(message.text())
    )
      complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { page, context, complaints };
}

const axe = (): string => readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly target: readonly unknown[] }[];
  }[];
}

/** What axe finds against WCAG 2.2 A and AA on the page as it stands: one line a fault. Needs JavaScript in the page. */
export async function findAccessibilityFaults(page: Page): Promise<readonly string[]> {
  // By the debugger's way, which the page's content policy does not bind.
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: axe() });
  const { result } = await session.send('Runtime.evaluate', {
    expression: `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(JSON.stringify)`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  const { violations } = JSON.parse(String(result.value)) as AxeResult;
  return violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map((n) => n.target.join(' ')).join(', ')})`);
}

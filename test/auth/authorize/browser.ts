/** A browser without JavaScript: keeps cookies, follows redirects on its site, sends forms as they stand on the page. */

export interface Page {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly h1: string;
  /** Path that the browser stands at. */
  readonly path: string;
  /** Every address it was sent to on the way. */
  readonly trail: readonly string[];
  /** Where a redirect leads out of the site. */
  readonly out?: URL;
}

export interface Browser {
  readonly cookies: Map<string, string>;
  page(): Page;
  get(path: string): Promise<Page>;
  post(path: string, body: URLSearchParams | string, headers?: Readonly<Record<string, string>>): Promise<Page>;
  /** Sends the form whose button has this text (the first form of the main part without one). */
  submit(fields?: Readonly<Record<string, string | readonly string[]>>, button?: string): Promise<Page>;
}

const HOPS_MAX = 8;

export function createBrowser(base: string): Browser {
  const cookies = new Map<string, string>();
  let current: Page | undefined;

  async function visit(path: string, init: RequestInit = {}, trail: readonly string[] = []): Promise<Page> {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(new URL(path, base), {
      redirect: 'manual',
      ...init,
      headers: { ...(cookie !== '' && { Cookie: cookie }), ...init.headers },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0/.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    const text = await response.text();
    const location = response.headers.get('location');
    const to = location === null ? undefined : new URL(location, base);
    const refresh = /<meta http-equiv="refresh" content="0; url=([^"]*)">/.exec(text)?.[1];
    const next = to?.origin === base ? to.pathname + to.search : refresh === undefined ? undefined : toText(refresh);
    if (next !== undefined && trail.length < HOPS_MAX) return visit(next, {}, [...trail, path]);
    current = {
      status: response.status,
      headers: response.headers,
      text,
      h1: toText(/<h1>([^<]*)/.exec(text)?.[1] ?? ''),
      path,
      trail: [...trail, path],
      ...(to && { out: to }),
    };
    return current;
  }

  const browser: Browser = {
    cookies,
    page: () => {
      if (!current) throw new Error('the browser shows nothing yet');
      return current;
    },
    get: (path) => visit(path),
    post: (path, body, headers = { Origin: base }) =>
      visit(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        body: body.toString(),
      }),
    async submit(fields = {}, button) {
      const main = browser.page().text.replace(/<header[\s\S]*?<\/header>/, '');
      const forms = [...main.matchAll(/<form method="post" action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/g)];
      const form = forms.find(([, , inner = '']) => button === undefined || findButton(inner, button) !== undefined);
      if (!form)
        throw new Error(`no form with ${button ?? 'a button'} on ${browser.page().path}: ${main.slice(0, 2000)}`);
      const [, action = '', inner = ''] = form;
      const sent = new URLSearchParams(readFields(inner));
      for (const [name, value] of Object.entries(fields)) {
        sent.delete(name);
        for (const one of [value].flat()) sent.append(name, one);
      }
      const pressed = button === undefined ? undefined : findButton(inner, button);
      if (pressed?.name !== undefined) sent.set(pressed.name, pressed.value ?? '');
      return browser.post(toText(action), sent);
    },
  };
  return browser;
}

const attribute = (tag: string, name: string): string | undefined => {
  const value = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : toText(value);
};

function findButton(form: string, text: string) {
  const found = [...form.matchAll(/<button([^>]*)>([^<]*)<\/button>/g)].find(
    ([, , label = '']) => toText(label) === text,
  );
  return found && { name: attribute(found[1] ?? '', 'name'), value: attribute(found[1] ?? '', 'value') };
}

/** What a browser would send of the form, untouched. */
function readFields(form: string): [string, string][] {
  return [...form.matchAll(/<input([^>]*)>/g)].flatMap(([, tag = '']) => {
    const [type, name, value] = [attribute(tag, 'type'), attribute(tag, 'name'), attribute(tag, 'value')];
    const isOff = (type === 'checkbox' || type === 'radio') && !/ checked/.test(tag);
    return name === undefined || isOff ? [] : [[name, value ?? ''] as [string, string]];
  });
}

const toText = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&#96;', '`')
    .replaceAll('&amp;', '&');

/** Somebody with a browser that runs no scripts: follows addresses, fills in forms with what was there, and agrees. */

const STEPS_MAX = 30;

interface Page {
  readonly url: string;
  readonly html: string;
}

/** Opens the address, signs in and agrees to everything; resolves to the address of the app where the browser ends. */
export async function agreeInBrowser(address: string, person: { readonly email: string; readonly password: string }) {
  const { origin } = new URL(address);
  const cookies = new Map<string, string>();

  /** Follows redirects; an address of another origin is the end of it. */
  async function open(url: string, form?: URLSearchParams): Promise<Page | string> {
    if (new URL(url).origin !== origin) return url;
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: {
        Cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(form && { Origin: origin, 'Sec-Fetch-Site': 'same-origin' }),
      },
      ...(form && { method: 'POST', body: form }),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    const html = await answer.text();
    const next = answer.headers.get('location') ?? /http-equiv="refresh" content="0; url=([^"]*)"/.exec(html)?.[1];
    return next === undefined ? { url, html } : open(new URL(decode(next), url).href);
  }

  let page = await open(address);
  for (let step = 0; typeof page !== 'string'; step += 1) {
    const form: string | undefined = /<form[\s\S]*?<\/form>/.exec(page.html.replace(/[\s\S]*<main/, ''))?.[0];
    if (form === undefined || step === STEPS_MAX) throw new Error(`no way on from ${new URL(page.url).pathname}`);
    const action = attribute(form, 'action') ?? page.url;
    page = await open(new URL(action, page.url).href, fill(form, person));
  }
  return page;
}

function fill(form: string, { email, password }: { readonly email: string; readonly password: string }) {
  const fields = new URLSearchParams();
  for (const [input] of form.matchAll(/<input[^>]*>/g)) {
    const name = attribute(input, 'name');
    if (name === undefined || (attribute(input, 'type') === 'radio' && !input.includes(' checked'))) continue;
    const given = new Map([
      ['email', email],
      ['password', password],
    ]).get(name);
    fields.append(name, given ?? attribute(input, 'value') ?? 'on');
  }
  const [button = ''] = /<button[^>]*name="[^>]*>/.exec(form) ?? [];
  const name = attribute(button, 'name');
  if (name !== undefined) fields.append(name, attribute(button, 'value') ?? '');
  return fields;
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : decode(value);
}

const decode = (text: string): string =>
  text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');

/** Sign-in on a real port with a real database, a clock of its own, and browsers that keep cookies. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPeople, type PeopleAuth, type PeopleOptions } from '../../../src/auth/people/create-people.ts';
import { createHashing } from '../../../src/auth/people/hashing.ts';
import { totpCode, totpStep } from '../../../src/auth/people/totp.ts';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { AuditEvent } from '../../../src/ports/audit.ts';
import type { Caller, Role } from '../../../src/ports/caller.ts';
import type { Notice } from '../../../src/ports/notify.ts';
import type { Identity, NewPerson } from '../../../src/ports/people.ts';
import type { User } from '../../../src/ports/users.ts';
import { createIdentity } from '../../../src/postgres/identity/people.ts';
import { createPools, type Pools } from '../../../src/postgres/pools.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { createMemoryLog, type LogLine } from '../../support/log.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';

export const PASSWORD = 'correct-horse-battery';
const START = Date.parse('2026-05-04T09:00:00Z');

export interface World {
  readonly url: string;
  readonly people: PeopleAuth;
  readonly identity: Identity;
  readonly database: TestDatabase;
  readonly pools: Pools;
  readonly dataDir: string;
  readonly notices: Notice[];
  readonly events: AuditEvent[];
  readonly lines: readonly LogLine[];
  /** What `authenticate` answers from now on. */
  setCaller(caller: Caller): void;
  now(): number;
  advance(ms: number): void;
  /** Somebody with PASSWORD, and a TOTP secret unless it is a patient. */
  add(details?: Partial<NewPerson> & { readonly role?: Role; readonly mfa?: boolean }): Promise<Added>;
  /** Another process on the same database. */
  another(): Promise<{ readonly url: string; readonly people: PeopleAuth; stop(): Promise<void> }>;
  browser(base?: string): Browser;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Added extends User {
  readonly secret: Buffer;
  /** The code of this moment; the clock moves on first, so that each is a new one. */
  code(): string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any answer
  readonly json: any;
}

export const ADMINISTRATOR: Caller = {
  kind: 'client',
  name: 'operator',
  correlationId: 'test',
  scopes: [],
  otherScopes: ['admin:users'],
};

let sequence = 0;
let hashing: ReturnType<typeof createHashing> | undefined;

export interface WorldOptions extends Partial<PeopleOptions> {
  readonly host?: string;
  /** ms UTC */
  readonly start?: number;
  /** More options, made from what the world is built on. */
  readonly extend?: (base: Base) => Partial<PeopleOptions>;
}

export interface Base {
  readonly pools: Pools;
  readonly cipher: ReturnType<typeof createCipher>;
  readonly url: string;
  readonly now: () => number;
}

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { host = '127.0.0.1', start = START, extend, ...given } = options;
  const database = await createDatabase();
  const open = (): Pools =>
    createPools({
      connection: database.connection('app'),
      readConnections: 2,
      writeConnections: 4,
      transactionConnections: 4,
      log,
    });
  const log = createMemoryLog();
  let at = start;
  const now = (): number => at;
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const pools = open();
  const identity = createIdentity({ ...pools, now });
  const notices: Notice[] = [];
  const events: AuditEvent[] = [];
  const dataDir = makeTempFolder();
  let caller = ADMINISTRATOR;

  async function serve(own: Identity) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://${host}:${(server.address() as AddressInfo).port}`;
    const people = await createPeople({
      identity: own,
      cipher,
      audit: { record: async (event) => void events.push(event) },
      authenticate: async () => caller,
      policy: {
        allows: ({ otherScopes, user }, right) =>
          otherScopes.includes(right) || user?.roles.includes('ADMIN')
            ? { allowed: true }
            : { allowed: false, rule: 'test' },
      },
      issueTokens: async ({ user, amr }) => ({
        accessToken: `access ${user.id} ${amr.join(' ')}`,
        refreshToken: `refresh ${user.id}`,
        expiresIn: 900,
      }),
      refreshTokens: async (token) =>
        token.startsWith('refresh ') ? { accessToken: 'access', refreshToken: `${token}+`, expiresIn: 900 } : undefined,
      url,
      dataDir,
      patientMfa: 'optional',
      isProduction: false,
      now,
      log,
      notify: async (notice) => void notices.push(notice),
      limits: { perAddress: 10_000, perNeighbourhood: 10_000, everywhere: 10_000 },
      ...given,
      ...extend?.({ pools, cipher, url, now }),
    });
    server.on('request', people.app);
    return { url, people, server };
  }

  const { url, people, server } = await serve(identity);
  const close = (one: Server) =>
    new Promise<void>((resolve) => {
      one.close(() => resolve());
      one.closeAllConnections();
    });

  const add: World['add'] = async ({ role = 'DOCTOR', mfa, ...details } = {}) => {
    sequence += 1;
    hashing ??= createHashing();
    const secret = randomBytes(20);
    const withMfa = mfa ?? role !== 'PATIENT';
    const user = await identity.people.add(
      {
        name: `Person ${sequence}`,
        email: `person${sequence}@example.org`,
        roles: [role],
        patientIds: [],
        practitionerRoleIds: [],
        organizationIds: [],
        passwordHash: await (await hashing).hash(PASSWORD),
        isEmailVerified: true,
        ...details,
      },
      withMfa ? (id) => ({ totp: cipher.seal(secret, `totp ${id}`), recoveryHashes: [] }) : undefined,
    );
    return {
      ...user,
      secret,
      code: () => {
        at += 30_000;
        return totpCode(secret, totpStep(at));
      },
    };
  };

  return {
    url,
    people,
    identity,
    database,
    pools,
    dataDir,
    notices,
    events,
    lines: log.lines,
    setCaller: (next) => {
      caller = next;
    },
    now,
    advance: (ms) => {
      at += ms;
    },
    add,
    async another() {
      const others = open();
      const second = await serve(createIdentity({ ...others, now }));
      return {
        ...second,
        async stop() {
          await close(second.server);
          await others.end();
        },
      };
    },
    browser: (base = url) => createBrowser(base),
    post: (path, body, headers = {}) =>
      send(`${url}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    async stop() {
      await close(server);
      await pools.end();
      await database.drop();
    },
  };
}

async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
}

export interface Page extends Answer {
  /** Path that the browser stands at. */
  readonly path: string;
  readonly title: string;
  readonly h1: string;
}

/** A browser without JavaScript: keeps cookies, follows redirects, sends forms as they are on the page. */
export interface Browser {
  readonly cookies: Map<string, string>;
  get(path: string): Promise<Page>;
  /** Sends the form of the current page that goes to `action`, with these fields besides its hidden ones. */
  submit(action: string, fields?: Readonly<Record<string, string>>): Promise<Page>;
  /** Sends anything, as another page might. */
  post(path: string, fields: Readonly<Record<string, string>>, headers?: Record<string, string>): Promise<Page>;
  /** Signs in with password and code. */
  signIn(user: Added, next?: string): Promise<Page>;
  /** As the request of a page of ours. */
  request(): IncomingMessage;
}

function createBrowser(base: string): Browser {
  const cookies = new Map<string, string>();
  let current: Page | undefined;

  const cookieHeader = (): string => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');

  async function visit(path: string, init: RequestInit = {}, hops = 0): Promise<Page> {
    const answer = await send(`${base}${path}`, {
      ...init,
      headers: { ...(cookies.size > 0 && { Cookie: cookieHeader() }), ...init.headers },
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/Max-Age=0/.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    if (answer.status === 303 && location !== null && hops < 6) return visit(location, {}, hops + 1);
    const words = (pattern: RegExp): string => toText(pattern.exec(answer.text)?.[1] ?? '');
    current = { ...answer, path, title: words(/<title>([^<]*)/), h1: words(/<h1>([^<]*)/) };
    return current;
  }

  const browser: Browser = {
    cookies,
    get: (path) => visit(path),
    async submit(action, fields = {}) {
      const forms = [
        ...(current?.text ?? '').matchAll(/<form method="post" action="([^"]*)"[^>]*>([\s\S]*?)<\/form>/g),
      ];
      const form = forms.find(([, to]) => toText(to ?? '') === action);
      if (!form) throw new Error(`no form to ${action} on ${current?.path}: ${forms.map((f) => f[1]).join(', ')}`);
      const hidden = [
        ...(form[2] ?? '').matchAll(/<input type="hidden" name="([^"]*)"(?: [a-z]+="[^"]*")*? value="([^"]*)"/g),
      ];
      return browser.post(action, {
        ...Object.fromEntries(hidden.map(([, name, value]) => [name, toText(value ?? '')])),
        ...fields,
      });
    },
    post: (path, fields, headers = { Origin: new URL(base).origin }) =>
      visit(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields).toString(),
      }),
    async signIn(user, next) {
      await browser.get(`/sign-in${next === undefined ? '' : `?next=${encodeURIComponent(next)}`}`);
      const page = await browser.submit('/sign-in', { email: user.email, password: PASSWORD });
      return page.path.startsWith('/sign-in/second-step')
        ? browser.submit('/sign-in/second-step', { code: user.code() })
        : page;
    },
    request: () =>
      ({ headers: { cookie: cookieHeader(), origin: new URL(base).origin }, socket: {} }) as IncomingMessage, // as far as it is read
  };
  return browser;
}

const toText = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&#96;', '`')
    .replaceAll('&amp;', '&');

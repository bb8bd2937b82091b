import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { expect } from 'chai';

// The layering of the source tree: a folder imports only what stands in its row, and what lies within itself.

interface Row {
  /** Our folders it may import. */
  readonly folders: readonly string[];
  /** npm packages it may import. */
  readonly packages: readonly string[];
  /** Modules of Node it may import; `all` where files and sockets are its business. */
  readonly node: readonly string[] | 'all';
  /** Single files of other folders it may import, each with its reason below. */
  readonly files?: readonly string[];
  /** Only types may be imported from these. */
  readonly typesOnly?: readonly string[];
}

const PURE_NODE = ['node:crypto', 'node:buffer'];
const INSIDE = ['standards', 'ports', 'policy'];
const DOOR = [...INSIDE, 'mapping', 'workflow'];

const AUTH_PACKAGES = [
  'jose',
  'express',
  'helmet',
  'rate-limiter-flexible',
  'qrcode',
  '@node-rs/argon2',
  '@simplewebauthn/server',
];

const LAYERS = new Map<string, Row>([
  ['standards', { folders: [], packages: ['@medplum/core', 'ajv', 'saxes', 'iconv-lite'], node: PURE_NODE }],
  ['mapping', { folders: ['standards'], packages: [], node: PURE_NODE }],
  ['ports', { folders: ['standards'], packages: [], node: ['node:http'], typesOnly: ['standards'] }],
  ['policy', { folders: ['standards', 'ports'], packages: [], node: PURE_NODE }],
  ['workflow', { folders: ['standards', 'mapping', 'ports', 'policy'], packages: [], node: PURE_NODE }],
  ['postgres', { folders: INSIDE, packages: ['pg', 'knex'], node: 'all' }],
  ['pki', { folders: INSIDE, packages: ['node-forge', 'pkcs11js'], node: 'all' }],
  ['auth', { folders: INSIDE, packages: AUTH_PACKAGES, node: 'all' }],
  ['gateways', { folders: DOOR, packages: ['fhir-kit-client', 'undici', 'nodemailer'], node: 'all' }],
  ['jobs', { folders: DOOR, packages: ['bull', 'ioredis'], node: 'all' }],
  [
    'rest',
    {
      folders: DOOR,
      packages: ['express', 'graphql', 'prom-client', 'rate-limiter-flexible', 'ioredis', 'ws', 'ajv', 'qrcode'],
      node: 'all',
    },
  ],
  [
    'peers',
    {
      folders: ['standards/xml', 'standards/xmldsig', 'standards/x509', 'pki'],
      // The tour asks for its token as `npm run token` does: it is started by the operator.
      files: ['auth/oauth/operator-client.ts'],
      // The local Spine reads XML by itself.
      packages: ['saxes'],
      node: 'all',
    },
  ],
  ['settings', { folders: [], packages: [], node: ['node:net'] }],
  ['console', { folders: ['standards/fhir', 'standards/smart'], packages: ['react', 'react-dom'], node: [] }],
]);

/** Every standard speaks of its faults in issues and returns them with the value. */
const SHARED_STANDARDS = new Set([
  'standards/mapped.ts',
  'standards/turns.ts',
  'standards/fhir/outcome.ts',
  'standards/fhir/canonical.ts',
]);
/** A standard may build on these others. */
const STANDARDS = new Map<string, readonly string[]>([
  // Subscriptions are signed as webhooks are.
  ['fhir', ['xml', 'ucum', 'webhook']],
  ['xmldsig', ['xml', 'x509']],
  ['hl7v3', ['xml']],
  ['script', ['xml', 'xmldsig', 'ncpdp']],
  ['telecom', ['ncpdp']],
]);

/** Files of the root that put the parts together. */
const COMPOSITION = new Set([
  'server.ts',
  'front.ts',
  'database.ts',
  'data-folder.ts',
  'capability.ts',
  'keys.ts',
  'upkeep.ts',
  'main.ts',
  'fhir-api.ts',
  'fhir-services.ts',
  'fhir-store.ts',
  'shared-transactions.ts',
  'gateway.ts',
  'gateway-desk.ts',
  'gateway-runners.ts',
  'ncpdp.ts',
  'convert.ts',
  'demo.ts',
  'clock.ts',
  'identity.ts',
  'identity-doors.ts',
  'account-mail.ts',
  'break-glass.ts',
  'certificates.ts',
  'upstream.ts',
  'records.ts',
  'every.ts',
  'organizations.ts',
  'audit.ts',
  'anonymise.ts',
  'custom-parameters.ts',
  'data-subjects.ts',
  'eps.ts',
  'hl7v2-doors.ts',
  'hl7v2-feed-tls.ts',
  'hl7v2-feeds.ts',
  'hl7v2-partners.ts',
  'reconcile-cli.ts',
  'reconciliation.ts',
  'claims.ts',
  'prescription-tokens.ts',
  'pharmacy.ts',
  'notices.ts',
  'local-payer.ts',
  'local-spine.ts',
  'script-push.ts',
  'signers.ts',
  'spine-send.ts',
  'subscriptions.ts',
  'bulk.ts',
  'rotate-keys.ts',
  'script-password.ts',
  'protection.ts',
  'profiles.ts',
  'ig.ts',
  'verify-audit.ts',
  'verify-token.ts',
  'workflow-doors.ts',
]);
const SETTINGS = new Set([
  'config.ts',
  'config-checks.ts',
  'config-docs.ts',
  'config-misspellings.ts',
  'config-parsers.ts',
  'log.ts',
]);
const isSettings = (path: string): boolean => SETTINGS.has(path) || path.startsWith('settings/');
/** SU-10: who may start other programs. */
const STARTS_PROGRAMS = new Set([
  'postgres/embedded-cluster.ts',
  'postgres/postmaster.ts',
  'postgres/process-identity.ts',
]);
/** IN-03: the one file that may make code from text. */
const MAKES_CODE = 'standards/fhir/generate.ts';

const root = join(import.meta.dirname, '..');
const src = join(root, 'src');

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}
interface Source {
  /** Path below src, with slashes. */
  readonly path: string;
  readonly folder: string;
  /** Text without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Comments go; strings stay, as the names of imports are in them. Good enough for code that Biome has formatted. */
const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[\s;{}(),])\/\/.*$/gm, '$1');

const STATEMENT = /^\s*(import|export)\s+(type\s+)?(?:[\w*\s{},$]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'/g;
const WORKER = /new URL\(\s*'(\.[^']+\.ts)'/g;

function readSource(file: string): Source {
  const path = relative(src, file).replaceAll('\\', '/');
  const code = withoutComments(readFileSync(file, 'utf8'));
  const imports = [
    ...code.matchAll(STATEMENT).map((m) => ({ from: m[3] ?? '', typeOnly: m[2] !== undefined })),
    ...code.matchAll(DYNAMIC).map((m) => ({ from: m[1] ?? '', typeOnly: false })),
    ...code.matchAll(WORKER).map((m) => ({ from: m[1] ?? '', typeOnly: false })),
  ];
  return { path, folder: path.includes('/') ? (path.split('/')[0] ?? '') : '', code, imports };
}

const sources = listFiles(src)
  .filter((file) => /\.tsx?$/.test(file))
  .map(readSource);

/** Where a relative import leads, below src; undefined for one that leads out of it. */
function resolveOwn(source: Source, from: string): string | undefined {
  const target = join(dirname(source.path), from).replaceAll('\\', '/');
  return target.startsWith('..') ? undefined : target;
}

const packageOf = (from: string): string =>
  from
    .split('/')
    .slice(0, from.startsWith('@') ? 2 : 1)
    .join('/');

/** Every import of a source that its row does not allow, in words. */
function findBreaches(source: Source): string[] {
  const row = LAYERS.get(source.folder);
  return source.imports.flatMap(({ from, typeOnly }) => {
    if (!from.startsWith('.')) return row === undefined ? [] : breachOutside(row, from);
    const target = resolveOwn(source, from);
    if (target === undefined) return from.endsWith('/package.json') ? [] : [`${from} leads out of src`];
    return breachInside(source, row, target, typeOnly);
  });
}

function breachOutside(row: Row, from: string): string[] {
  if (!from.startsWith('node:')) {
    if (builtinModules.includes(from)) return [`${from} is written node:${from}`];
    return row.packages.includes(packageOf(from)) ? [] : [`package ${from}`];
  }
  return row.node === 'all' || row.node.includes(from) ? [] : [from];
}

function breachInside(source: Source, row: Row | undefined, target: string, typeOnly: boolean): string[] {
  if (isSettings(target))
    return COMPOSITION.has(source.path) || isSettings(source.path) ? [] : [`${target} is for the composition root`];
  if (COMPOSITION.has(target)) return COMPOSITION.has(source.path) ? [] : [`${target} is the composition root`];
  if (row === undefined) {
    if (isSettings(source.path) && !target.startsWith('ports/')) return [`${source.path} imports nothing of ours`];
    return [];
  }
  const folder = target.split('/')[0] ?? '';
  if (folder === source.folder) return breachInStandards(source, target);
  const allowed = row.folders.some((name) => target.startsWith(`${name}/`)) || row.files?.includes(target);
  if (!allowed) return [target];
  return row.typesOnly?.includes(folder) && !typeOnly ? [`${target} other than import type`] : [];
}

function breachInStandards(source: Source, target: string): string[] {
  if (source.folder !== 'standards' || SHARED_STANDARDS.has(target)) return [];
  const [own, other] = [source.path.split('/')[1] ?? '', target.split('/')[1] ?? ''];
  return own === other || STANDARDS.get(own)?.includes(other) ? [] : [target];
}

describe('architecture', () => {
  it('has sources, and finds their imports', () => {
    expect(sources.length).greaterThan(50);
    expect(sources.flatMap((source) => source.imports).length).greaterThan(200);
    const shell = sources.find((source) => source.path === 'rest/shell.ts');
    expect(shell?.imports.map((i) => i.from)).include('express');
  });

  it('has a row for every folder', () => {
    for (const source of sources) if (source.folder !== '') expect([...LAYERS.keys()]).include(source.folder);
  });

  for (const folder of ['', ...LAYERS.keys()]) {
    const own = sources.filter((source) => source.folder === folder);
    if (own.length === 0) continue;
    it(`${folder || 'the root'} imports only what its row allows`, () => {
      const breaches = own.flatMap((source) => findBreaches(source).map((what) => `${source.path}: ${what}`));
      expect(breaches).deep.equal([]);
    });
  }

  it('the local Spine reads V3 by itself: it shares nothing with what translates and sends it', () => {
    const shared = sources
      .filter(({ path }) => path.startsWith('peers/spine/'))
      .flatMap((source) => source.imports.map(({ from }) => resolveOwn(source, from)))
      .filter((target) => target !== undefined && /^(?:standards|mapping|gateways)\//.test(target));
    expect(shared).deep.equal([]);
  });

  it('standards, mapping, policy and workflow know neither clock nor environment', () => {
    const pure = new Set(['standards', 'mapping', 'policy', 'workflow']);
    const impure =
      /\bDate\.now\b|\bnew Date\(\)|\bprocess\.|\bperformance\.|\bMath\.random\b|\bset(Timeout|Interval)\(/;
    const found = sources.filter((source) => pure.has(source.folder) && impure.test(source.code));
    expect(found.map((source) => `${source.path}: ${impure.exec(source.code)?.[0]}`)).deep.equal([]);
  });

  it('ports hold types only', () => {
    const value = /^export (?:async )?(?:const|let|function|class|default)\b/m;
    const found = sources.filter((source) => source.folder === 'ports' && value.test(source.code));
    expect(found.map((source) => source.path)).deep.equal([]);
  });

  it('files are kebab-case, and none is a barrel', () => {
    const odd = sources.filter(({ path }) => !/^(?:[a-z0-9-]+\/)*[a-z0-9]+(?:-[a-z0-9]+)*\.tsx?$/.test(path));
    const barrels = sources.filter(({ path }) => /(?:^|\/)index\.tsx?$/.test(path));
    expect([...odd, ...barrels].map((source) => source.path)).deep.equal([]);
  });

  it('exports have names', () => {
    const found = sources.filter((source) => /^export default\b/m.test(source.code));
    expect(found.map((source) => source.path)).deep.equal([]);
  });

  it('IN-03 › only generate.ts makes code from text', () => {
    const makes = /\bnew Function\b|\bFunction\(|\beval\(|['"](?:node:)?vm['"]|\bsetTimeout\(\s*['"`]/;
    const found = sources.filter((source) => makes.test(source.code)).map((source) => source.path);
    expect(found.filter((path) => path !== MAKES_CODE)).deep.equal([]);
  });

  it('SU-10 › only the embedded Postgres starts programs', () => {
    const found = sources.filter((source) => source.imports.some(({ from }) => /child_process|cluster$/.test(from)));
    for (const { path } of found) expect([...STARTS_PROGRAMS]).include(path);
  });

  it('migrations import nothing of src', () => {
    for (const file of listFiles(join(root, 'migrations')))
      expect(readFileSync(file, 'utf8'), file).not.match(/from '\.\.\/src/);
  });

  it('SU-02 › every dependency is listed with its reason in docs/decisions/dependencies.md, and no other', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, object>;
    const listed = readFileSync(join(root, 'docs/decisions/dependencies.md'), 'utf8')
      .split('\n')
      .flatMap((line) => /^\| `([^`]+)`/.exec(line)?.[1] ?? []);
    const declared = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((kind) =>
      Object.keys(manifest[kind] ?? {}),
    );
    expect(listed.toSorted()).deep.equal(declared.toSorted());
    expect(Object.keys(manifest['dependencies'] ?? {}).length).at.most(60);
  });
});

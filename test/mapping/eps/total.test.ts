/** Whatever comes is translated or told apart: never is anything thrown, and what is written can be read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { toEpsOutcome } from '../../../src/mapping/eps/outcome.ts';
import { prepare } from '../../../src/mapping/eps/prepare.ts';
import { Decimal, parseJson } from '../../../src/standards/fhir/json.ts';
import { type Issue, isError } from '../../../src/standards/fhir/outcome.ts';
import { readXml } from '../../../src/standards/xml/read.ts';
import { clone } from './change.ts';
import { fixtureContext, fixtureMessage, fixtureNames } from './fixture.ts';

const SIZES = new Map([
  ['quick', 300],
  ['ci', 1_000],
  ['long', 100_000],
]);
const RUNS = SIZES.get(process.env['TEST_SIZE'] ?? 'quick') ?? 300;
const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];

/** Strange values for any place. */
const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e300,
  new Decimal('1.50'),
  new Decimal('1e999'),
  '',
  ' ',
  '#',
  '\u0000',
  '\uD800',
  '\uFFFF',
  ']]>&amp;<!--"\'\r\n\t\f',
  '2026-02-30',
  '9999-12-31T23:59:59-14:00',
  '__proto__',
  [],
  [null],
  [[]],
  {},
  { reference: 'urn:uuid:nowhere' },
  { resourceType: 'Bundle' },
];

/** No word of them is a member of every object: those are frozen here, and cannot be made by assignment. */
const UNIT = fc.constantFrom('a', 'é', '1', ' ', '\u0000', '"', '😀');
const MEMBER = fc.constantFrom('entry', 'parameter', 'contained', 'identifier', 'status', 'item', 'extension', 'meta');

type Parent = Record<string, unknown> | unknown[];

/** Every place of a message: its parent and its name there. */
function places(value: unknown, found: (readonly [Parent, string])[] = []): (readonly [Parent, string])[] {
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return found;
  for (const name of Object.keys(value)) {
    found.push([value as Parent, name]); // Objects and lists are all that is left.
    places((value as Record<string, unknown>)[name], found);
  }
  return found;
}

const set = (parent: Parent, name: string, value: unknown): void => {
  if (Array.isArray(parent)) parent[Number(name)] = value;
  else Object.defineProperty(parent, name, { value, enumerable: true, writable: true, configurable: true });
};
const remove = (parent: Parent, name: string): void => {
  if (Array.isArray(parent)) parent.splice(Number(name), 1);
  else delete parent[name];
};
const at = (parent: Parent, name: string): unknown => (parent as Record<string, unknown>)[name];

type Mutation = (parent: Parent, name: string, strange: unknown) => void;

const MUTATIONS: readonly Mutation[] = [
  (parent, name) => remove(parent, name),
  (parent, name, strange) => set(parent, name, clone(strange)),
  (parent, name) => set(parent, name, [at(parent, name)]),
  (parent, name) => {
    const value = at(parent, name);
    if (Array.isArray(value)) set(parent, name, [...value, ...value.map(clone)]);
    else if (Array.isArray(parent)) parent.push(clone(value));
  },
  (parent, name) => {
    const value = at(parent, name);
    if (typeof value === 'string') set(parent, name, value.slice(0, value.length / 2));
    else if (Array.isArray(value)) set(parent, name, value.slice(0, value.length / 2));
  },
];

interface Step {
  readonly place: number;
  readonly mutation: number;
  readonly strange: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  place: fc.nat(),
  mutation: fc.nat(MUTATIONS.length - 1),
  strange: fc.nat(STRANGE.length - 1),
});

function mutate(message: unknown, steps: readonly Step[]): unknown {
  const copy = { root: clone(message) };
  for (const { place, mutation, strange } of steps) {
    const all = places(copy);
    const [parent, name] = all[place % all.length] ?? [copy, 'root'];
    MUTATIONS[mutation]?.(parent, name, STRANGE[strange]);
  }
  return copy.root;
}

function check(payload: unknown): void {
  const context = fixtureContext();
  const converted = convertToV3(payload, context);
  const prepared = prepare(payload, context);
  for (const { value, issues } of [converted, prepared]) checkIssues(issues, value === undefined);
  if (converted.value !== undefined) expect(readXml(converted.value).issues).deep.equal([]);
  if (prepared.value !== undefined) expect(converted.value).not.equal(undefined);
}

/** Without a value there is an error, and every issue can be sent. */
function checkIssues(issues: readonly Issue[], failed: boolean): void {
  expect(issues.some(isError)).equal(failed);
  for (const { diagnostics, details, expression } of issues) {
    expect(diagnostics ?? details?.coding[0]?.display).a('string');
    for (const path of expression ?? []) expect(path).a('string').and.not.equal('');
  }
  JSON.stringify(toEpsOutcome(issues, 'now'));
}

describe('mapping › eps › every JSON value', () => {
  it(`any JSON value at all (${RUNS})`, () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: UNIT }), check), { numRuns: RUNS });
  });

  it(`resources of any content (${RUNS})`, () => {
    const types = fc.constantFrom('Bundle', 'Claim', 'Parameters', 'Task');
    fc.assert(
      fc.property(types, fc.dictionary(MEMBER, fc.jsonValue({ stringUnit: UNIT })), (resourceType, members) =>
        check({ ...members, resourceType }),
      ),
      { numRuns: RUNS },
    );
  });

  it('a value nested too deeply', () => {
    let deep: unknown = 'end';
    for (let i = 0; i < 50_000; i++) deep = i % 2 === 0 ? [deep] : { extension: deep };
    check(deep);
    check({ resourceType: 'Bundle', entry: deep });
  });

  for (const name of fixtureNames) mutated(name, fixtureMessage(name), RUNS);

  it('every place of an order taken out, alone', function () {
    this.timeout(180_000);
    const message = fixtureMessage('prescription-order-acute');
    const { length } = places(message);
    for (let place = 0; place < length; place++) {
      const copy = clone(message);
      const [parent, member] = places(copy)[place] ?? [[], ''];
      remove(parent, member);
      check(copy);
    }
  });
});

function mutated(title: string, message: unknown, runs: number): void {
  it(`${title}, changed at random (${runs})`, function () {
    this.timeout(600_000);
    const steps = fc.array(step, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(steps, (s) => check(mutate(message, s))),
      { numRuns: runs },
    );
  });
}

describe('mapping › eps › every published example, changed at random', () => {
  if (SAMPLES === undefined) it('need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else publishedExamples(join(SAMPLES, 'eps/examples'));
});

function publishedExamples(folder: string): void {
  const messages = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json') && path !== 'index.json')
    .map((path) => parseJson(readFileSync(join(folder, path))));
  const runs = Math.ceil(RUNS / 10);

  it(`are translated or told apart (${messages.length}, ${runs} times each)`, function () {
    this.timeout(1_800_000);
    for (const message of messages) {
      check(message);
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => check(mutate(message, steps))),
        { numRuns: runs },
      );
    }
  });
}

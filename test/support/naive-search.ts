/**
 * Search by the book over plain JSON: slow, and made of nothing that the server is made of. It knows the types and
 * parameters that policy-world.ts fills. https://hl7.org/fhir/R4/search.html
 */

export type Json = Readonly<Record<string, unknown>>;
export type Kind = 'reference' | 'token' | 'string' | 'date';

export interface Parameter {
  readonly kind: Kind;
  readonly path: string;
  /** Only references to this type count. */
  readonly only?: string;
  readonly targets?: readonly string[];
}

const reference = (path: string, ...targets: readonly string[]): Parameter => ({ kind: 'reference', path, targets });
const patient = (path: string): Parameter => ({ kind: 'reference', path, only: 'Patient', targets: ['Patient'] });
const practitioner = (path: string): Parameter => ({
  kind: 'reference',
  path,
  only: 'Practitioner',
  targets: ['Practitioner'],
});
const token = (path: string): Parameter => ({ kind: 'token', path });
const date = (path: string): Parameter => ({ kind: 'date', path });
const string = (path: string): Parameter => ({ kind: 'string', path });

const subject = { subject: reference('subject', 'Patient', 'Group'), patient: patient('subject') };
const NAME = 'name.family|name.given|name.text';

/**
 * Every reference that the world's resources hold is reached by one of these, so that wildcards can be followed: see
 * `unreached`.
 */
export const PARAMETERS: Readonly<Record<string, Readonly<Record<string, Parameter>>>> = {
  Patient: {
    organization: reference('managingOrganization', 'Organization'),
    'general-practitioner': reference('generalPractitioner', 'Organization', 'Practitioner', 'PractitionerRole'),
    link: reference('link.other', 'Patient', 'RelatedPerson'),
    name: string(NAME),
    family: string('name.family'),
    gender: token('gender'),
    birthdate: date('birthDate'),
  },
  Observation: {
    ...subject,
    performer: reference('performer', 'Practitioner', 'Patient', 'Organization'),
    encounter: reference('encounter', 'Encounter'),
    focus: reference('focus', 'Patient', 'Observation'),
    device: reference('device', 'Device'),
    'has-member': reference('hasMember', 'Observation'),
    code: token('code'),
    category: token('category'),
    status: token('status'),
    date: date('effectiveDateTime'),
  },
  Condition: {
    ...subject,
    asserter: reference('asserter', 'Practitioner', 'Patient'),
    encounter: reference('encounter', 'Encounter'),
    code: token('code'),
    category: token('category'),
    'onset-date': date('onsetDateTime'),
  },
  Encounter: {
    ...subject,
    participant: reference('participant.individual', 'Practitioner', 'PractitionerRole'),
    practitioner: practitioner('participant.individual'),
    'service-provider': reference('serviceProvider', 'Organization'),
    status: token('status'),
    date: date('period'),
  },
  CareTeam: {
    ...subject,
    participant: reference('participant.member', 'Practitioner', 'Organization', 'Patient'),
    status: token('status'),
  },
  Task: {
    subject: reference('for', 'Patient', 'Group'),
    patient: patient('for'),
    owner: reference('owner', 'Organization', 'Practitioner'),
    requester: reference('requester', 'Practitioner', 'Patient'),
    focus: reference('focus', 'MedicationRequest'),
    status: token('status'),
    'authored-on': date('authoredOn'),
  },
  MedicationRequest: {
    ...subject,
    requester: reference('requester', 'Practitioner'),
    'intended-dispenser': reference('dispenseRequest.performer', 'Organization'),
    status: token('status'),
    intent: token('intent'),
    authoredon: date('authoredOn'),
  },
  MedicationDispense: {
    ...subject,
    performer: reference('performer.actor', 'Organization', 'Practitioner'),
    prescription: reference('authorizingPrescription', 'MedicationRequest'),
    status: token('status'),
    whenhandedover: date('whenHandedOver'),
  },
  Appointment: {
    actor: reference('participant.actor', 'Patient', 'Practitioner'),
    patient: patient('participant.actor'),
    practitioner: practitioner('participant.actor'),
    slot: reference('slot', 'Slot'),
    status: token('status'),
    date: date('start'),
  },
  Device: { patient: patient('patient'), organization: reference('owner', 'Organization'), status: token('status') },
  Group: { member: reference('member.entity', 'Patient', 'Device'), type: token('type') },
  List: {
    ...subject,
    source: reference('source', 'Practitioner', 'Patient'),
    item: reference('entry.item', 'Observation', 'Condition', 'MedicationRequest'),
    status: token('status'),
  },
  Provenance: {
    target: reference('target', 'Observation', 'Patient', 'MedicationRequest'),
    patient: patient('target'),
    agent: reference('agent.who', 'Practitioner', 'Patient'),
    recorded: date('recorded'),
  },
  DocumentReference: { ...subject, author: reference('author', 'Practitioner', 'Patient'), status: token('status') },
  DiagnosticReport: {
    ...subject,
    result: reference('result', 'Observation'),
    encounter: reference('encounter', 'Encounter'),
    code: token('code'),
    status: token('status'),
  },
  Schedule: { actor: reference('actor', 'Practitioner', 'Location') },
  Slot: { schedule: reference('schedule', 'Schedule'), status: token('status'), start: date('start') },
  AllergyIntolerance: {
    patient: patient('patient'),
    recorder: reference('recorder', 'Practitioner', 'Patient'),
    code: token('code'),
  },
  Flag: { ...subject, author: reference('author', 'Practitioner', 'Patient') },
  Consent: {
    patient: patient('patient'),
    actor: reference(
      'provision.actor.reference',
      'Practitioner',
      'Organization',
      'PractitionerRole',
      'Group',
      'Device',
    ),
    data: reference('provision.data.reference', 'Observation', 'Encounter', 'Task', 'Binary'),
    status: token('status'),
  },
  QuestionnaireResponse: {
    ...subject,
    author: reference('author', 'Practitioner', 'Patient'),
    status: token('status'),
  },
  Communication: {
    ...subject,
    sender: reference('sender', 'Practitioner', 'Patient'),
    recipient: reference('recipient', 'Practitioner', 'Patient'),
    status: token('status'),
  },
  RelatedPerson: { patient: patient('patient'), name: string(NAME) },
  Basic: { subject: reference('subject', 'Patient'), patient: patient('subject'), code: token('code') },
  AuditEvent: {
    patient: patient('entity.what'),
    entity: reference('entity.what', 'Patient', 'Observation'),
    date: date('recorded'),
  },
  Organization: { partof: reference('partOf', 'Organization'), name: string('name') },
  Practitioner: { name: string(NAME) },
  PractitionerRole: {
    practitioner: reference('practitioner', 'Practitioner'),
    organization: reference('organization', 'Organization'),
  },
  Location: { name: string('name'), organization: reference('managingOrganization', 'Organization') },
  Library: { status: token('status') },
  Binary: {},
};

export const TYPES = Object.keys(PARAMETERS);

/** What lies at a dotted path, lists opened; `|` stands between alternatives. */
export function valuesAt(resource: unknown, path: string): unknown[] {
  return path.split('|').flatMap((one) =>
    one.split('.').reduce<unknown[]>(
      (found, name) =>
        found.flatMap((value) => {
          const inner = typeof value === 'object' && value !== null ? (value as Json)[name] : undefined;
          return inner === undefined ? [] : Array.isArray(inner) ? inner : [inner];
        }),
      [resource],
    ),
  );
}

const BASE = 'http://mortar.test/fhir/R4/';

/** `Type/id` of every reference at a path. */
export const referencesAt = (resource: unknown, path: string): string[] =>
  valuesAt(resource, path).flatMap((value) => {
    const text = (value as Json)['reference'];
    if (typeof text !== 'string') return [];
    return [(text.startsWith(BASE) ? text.slice(BASE.length) : text).split('/').slice(0, 2).join('/')];
  });

export const typeOf = (text: string): string => text.slice(0, text.indexOf('/'));

/** R4 has no parameter for the context of a Binary, nor for what stands within provisions of provisions. */
const PARTLY_REACHED = ['Binary', 'Consent'];

/** References that a resource holds and that no parameter of the model reaches. */
export function unreached(type: string, resource: Json): string[] {
  if (PARTLY_REACHED.includes(type)) return [];
  const reached = Object.values(PARAMETERS[type] ?? {}).flatMap(({ kind, path }) =>
    kind === 'reference' ? referencesAt(resource, path) : [],
  );
  return referencesWithin(resource).filter((one) => !reached.includes(one));
}

function referencesWithin(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesWithin);
  if (typeof value !== 'object' || value === null) return [];
  return [
    ...referencesAt({ value }, 'value'),
    ...Object.values(value).flatMap((member) => (typeof member === 'object' ? referencesWithin(member) : [])),
  ];
}

function referencesBy(parameter: Parameter, resource: Json): string[] {
  const found = referencesAt(resource, parameter.path);
  return parameter.only === undefined ? found : found.filter((one) => typeOf(one) === parameter.only);
}

interface Coded {
  readonly system?: string;
  readonly code: string;
}

function codesOf(values: readonly unknown[]): Coded[] {
  return values.flatMap((value): Coded[] => {
    if (typeof value === 'string') return [{ code: value }];
    const { coding, system, code } = value as { coding?: unknown[]; system?: string; code?: string };
    if (coding) return codesOf(coding);
    return code === undefined ? [] : [{ code, ...(system !== undefined && { system }) }];
  });
}

/** First and last instant that a date text stands for. */
export function rangeOf(text: string): { readonly low: number; readonly high: number } {
  if (text.length > 10) return { low: Date.parse(text), high: Date.parse(text) + (text.includes('.') ? 0 : 999) };
  const low = Date.parse(text);
  const end = new Date(low);
  if (text.length === 4) end.setUTCFullYear(end.getUTCFullYear() + 1);
  else if (text.length === 7) end.setUTCMonth(end.getUTCMonth() + 1);
  else end.setUTCDate(end.getUTCDate() + 1);
  return { low, high: end.getTime() - 1 };
}

function rangesOf(values: readonly unknown[]): { low: number; high: number }[] {
  return values.map((value) => {
    if (typeof value === 'string') return rangeOf(value);
    const { start, end } = value as { start?: string; end?: string };
    return {
      low: start === undefined ? Number.NEGATIVE_INFINITY : rangeOf(start).low,
      high: end === undefined ? Number.POSITIVE_INFINITY : rangeOf(end).high,
    };
  });
}

function matchesDate(row: { low: number; high: number }, text: string): boolean {
  const prefix = /^[a-z]{2}/.exec(text)?.[0] ?? 'eq';
  const { low, high } = rangeOf(text.replace(/^[a-z]{2}/, ''));
  switch (prefix) {
    case 'eq':
      return row.low >= low && row.high <= high;
    case 'ge':
      return row.low >= low || row.high > high;
    case 'gt':
      return row.high > high;
    case 'lt':
      return row.low < low;
    case 'le':
      return row.high <= high || row.low < low;
    default:
      throw new Error(`no prefix ${prefix}`);
  }
}

const folded = (text: string): string => text.toLowerCase().trim();

function matchesToken(codes: readonly Coded[], text: string): boolean {
  const bar = text.indexOf('|');
  if (bar < 0) return codes.some(({ code }) => code === text);
  const [system, code] = [text.slice(0, bar), text.slice(bar + 1)];
  return codes.some((one) => (one.system ?? '') === system && (code === '' || one.code === code));
}

/** One parameter of a query, as a tree. */
export type Asked =
  | {
      readonly kind: 'plain';
      readonly code: string;
      readonly modifier?: 'not' | 'missing';
      readonly values: readonly string[];
    }
  | { readonly kind: 'chain'; readonly code: string; readonly type: string; readonly next: Asked }
  | { readonly kind: 'has'; readonly type: string; readonly code: string; readonly next: Asked };

/** As it stands in a URL. */
export function formatAsked(asked: Asked): readonly [name: string, value: string] {
  if (asked.kind === 'plain')
    return [asked.modifier === undefined ? asked.code : `${asked.code}:${asked.modifier}`, asked.values.join(',')];
  const [name, value] = formatAsked(asked.next);
  return asked.kind === 'chain'
    ? [`${asked.code}:${asked.type}.${name}`, value]
    : [`_has:${asked.type}:${asked.code}:${name}`, value];
}

/** A resource as it is now. */
export interface Current {
  readonly type: string;
  readonly id: string;
  readonly lastUpdated: number;
  readonly resource: Json;
}

/** Resources that a search may look at on the way. */
export interface Sight {
  readonly all: readonly Current[];
  readonly sees: (one: Current) => boolean;
}

/** `container`: where it is that `#…` means something: the resource, or what contains it. */
export function matches(asked: Asked, one: Current, sight: Sight, container = one): boolean {
  if (asked.kind === 'plain') return asked.code === '_list' ? isListed(asked, one, sight) : matchesPlain(asked, one);
  if (asked.kind === 'chain') {
    const parameter = parameterOf(one.type, asked.code);
    const targets = new Set(referencesBy(parameter, one.resource));
    const inside = containedIn(container).filter(({ type, id }) => type === asked.type && targets.has(`#${id}`));
    if (inside.some((far) => matches(asked.next, far, sight, container))) return true;
    return sight.all.some(
      (far) =>
        far.type === asked.type &&
        targets.has(`${far.type}/${far.id}`) &&
        sight.sees(far) &&
        matches(asked.next, far, sight),
    );
  }
  const parameter = parameterOf(asked.type, asked.code);
  return sight.all.some(
    (far) =>
      far.type === asked.type &&
      referencesBy(parameter, far.resource).includes(`${one.type}/${one.id}`) &&
      sight.sees(far) &&
      matches(asked.next, far, sight),
  );
}

/** What a resource contains, as if each stood by itself. */
const containedIn = ({ resource, lastUpdated }: Current): readonly Current[] =>
  valuesAt(resource, 'contained').map((one) => {
    const { resourceType, id } = one as { readonly resourceType: string; readonly id: string };
    return { type: resourceType, id, lastUpdated, resource: one as Json };
  });

/** Whether an entry of one of the Lists names it; who may not see the List does not learn what is in it. */
const isListed = ({ values }: Extract<Asked, { kind: 'plain' }>, one: Current, sight: Sight): boolean =>
  sight.all.some(
    (list) =>
      list.type === 'List' &&
      values.includes(list.id) &&
      sight.sees(list) &&
      referencesAt(list.resource, 'entry.item').includes(`${one.type}/${one.id}`),
  );

function matchesPlain(asked: Extract<Asked, { kind: 'plain' }>, one: Current): boolean {
  const { code, modifier, values } = asked;
  if (code === '_id') return values.includes(one.id);
  if (code === '_lastUpdated')
    return values.some((text) => matchesDate({ low: one.lastUpdated, high: one.lastUpdated }, text));
  if (code === 'near') return values.some((text) => isNear(one.resource, text));
  if (code === '_text') return values.some((text) => matchesText(wordsOf(one.resource), text));
  const parameter = code === '_security' ? token('meta.security') : parameterOf(one.type, code);
  const found = parameter.kind === 'reference' ? [] : valuesAt(one.resource, parameter.path);
  const references = parameter.kind === 'reference' ? referencesBy(parameter, one.resource) : [];
  if (modifier === 'missing') return (found.length + references.length === 0) === (values[0] === 'true');
  switch (parameter.kind) {
    case 'reference':
      return references.some((text) => values.some((v) => text === v || text.endsWith(`/${v}`)));
    case 'token': {
      const hit = values.some((v) => matchesToken(codesOf(found), v));
      return modifier === 'not' ? !hit : hit;
    }
    case 'string':
      return found.some((text) => values.some((v) => folded(String(text)).startsWith(folded(v))));
    case 'date':
      return rangesOf(found).some((range) => values.some((v) => matchesDate(range, v)));
  }
}

type Vector = readonly [number, number, number];
const EARTH_KM = 6371.0088;

/** On a sphere, by the angle between two directions from its middle. https://hl7.org/fhir/R4/location.html#positional */
function isNear(resource: Json, text: string): boolean {
  const [position] = valuesAt(resource, 'position') as { readonly latitude: number; readonly longitude: number }[];
  if (!position) return false;
  const [latitude = 0, longitude = 0, km = 0] = text.split('|').map(Number);
  const direction = (north: number, east: number): Vector => {
    const [phi, lambda] = [(north * Math.PI) / 180, (east * Math.PI) / 180];
    return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
  };
  const [a, b, c] = direction(position.latitude, position.longitude);
  const [x, y, z] = direction(latitude, longitude);
  const across = Math.hypot(b * z - c * y, c * x - a * z, a * y - b * x);
  return EARTH_KM * Math.atan2(across, a * x + b * y + c * z) <= km;
}

/** Without case and marks. */
const foldedWord = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
    .replace('ß', 'ss')
    .trim();

/** Words of the narrative, in order. */
function wordsOf(resource: Json): readonly string[] {
  const [div = ''] = valuesAt(resource, 'text.div');
  const text = String(div).replace(/<[^>]*>/g, ' ');
  return text
    .split(/\s+/)
    .map(foldedWord)
    .filter((word) => word !== '');
}

/** All of the words; `-` before one: not that; `*` after one: what begins so; with a quotation mark: side by side. */
function matchesText(words: readonly string[], text: string): boolean {
  if (text.startsWith('"')) {
    const [first, second] = text.replaceAll('"', '').split(' ').map(foldedWord);
    return words.some((word, i) => word === first && words[i + 1] === second);
  }
  return text.split(' ').every((term) => {
    if (term.startsWith('-')) return !words.includes(foldedWord(term.slice(1)));
    const wanted = foldedWord(term.replace('*', ''));
    return term.endsWith('*') ? words.some((word) => word.startsWith(wanted)) : words.includes(wanted);
  });
}

function parameterOf(type: string, code: string): Parameter {
  const found = PARAMETERS[type]?.[code];
  if (!found) throw new Error(`no parameter ${type}.${code}`);
  return found;
}

export interface AskedInclude {
  readonly reverse: boolean;
  readonly source: string;
  /** `*`: every one. */
  readonly code: string;
  readonly target?: string;
  readonly iterate: boolean;
}

export const formatInclude = ({ reverse, source, code, target, iterate }: AskedInclude): readonly [string, string] => [
  `${reverse ? '_revinclude' : '_include'}${iterate ? ':iterate' : ''}`,
  [source, code, ...(target === undefined ? [] : [target])].join(':'),
];

const ROUNDS = 4;

/** What the includes of a page bring in, as `Type/id`. */
export function included(page: readonly Current[], includes: readonly AskedInclude[], sight: Sight): Set<string> {
  const nameOf = (one: Current): string => `${one.type}/${one.id}`;
  const seen = new Set(page.map(nameOf));
  const found = new Set<string>();
  let frontier = page;
  for (let round = 0; round < ROUNDS; round++) {
    const here = frontier;
    const active = includes.filter(({ iterate }) => round === 0 || iterate);
    frontier = sight.all.filter((far) => {
      const name = nameOf(far);
      return !seen.has(name) && sight.sees(far) && active.some((one) => here.some((near) => leads(one, near, far)));
    });
    for (const one of frontier) {
      seen.add(nameOf(one));
      found.add(nameOf(one));
    }
  }
  return found;
}

function leads({ reverse, source, code, target }: AskedInclude, near: Current, far: Current): boolean {
  const [from, to] = reverse ? [far, near] : [near, far];
  if (from.type !== source || (target !== undefined && to.type !== target)) return false;
  const parameters = PARAMETERS[source] ?? {};
  const followed = code === '*' ? Object.values(parameters) : [parameterOf(source, code)];
  return followed.some((parameter) =>
    parameter.kind === 'reference' ? referencesBy(parameter, from.resource).includes(`${to.type}/${to.id}`) : false,
  );
}

/** Makes valid resources of every type from the definitions alone; the same seed gives the same resource. */
import {
  choiceName,
  type Definitions,
  type ElementDefinition,
  type ElementType,
} from '../../src/standards/fhir/definitions.ts';
import type { Issue } from '../../src/standards/fhir/outcome.ts';

export type GeneratedResource = { resourceType: string } & Record<string, unknown>;

export interface GenerateOptions {
  /** `minimal`: what is required and no more. `full`: every element once, lists of one or two. Default `full`. */
  readonly fill?: 'minimal' | 'full';
  /** Chooses values, list lengths and, in turn, the type of each choice. Default 0. */
  readonly seed?: number;
  /** Codes that a bound element may have; those of the definitions unless it is given. */
  readonly codesOf?: (valueSet: string) => readonly string[] | undefined;
}

type Json = Record<string, unknown>;

/** Complex types that are filled whole so deep below the resource; further down they have what they need. */
const FULL_DEPTH = 3;
const NEVER_ALONE = new Set(['id', 'extension', 'modifierExtension']);

/** Returns a resource that the base definitions allow. `minimal` ones have no id. */
export function generateResource(
  definitions: Definitions,
  type: string,
  options: GenerateOptions = {},
): GeneratedResource {
  const { fill = 'full', seed = 0, codesOf = codesIn(definitions) } = options;
  const random = createRandom(seed, type);
  const maker = new Maker(definitions, seed, random, codesOf);
  const resource: GeneratedResource = { resourceType: type, ...maker.object(type, fill === 'full', 0) };
  if (fill === 'full' && 'contained' in resource) maker.addContained(resource);
  return resource;
}

/** Bound codes as the definitions hold them. */
const codesIn =
  ({ valueSets }: Definitions) =>
  (canonical: string): readonly string[] | undefined => {
    const url = canonical.split('|')[0]!;
    if (url.endsWith('/mimetypes')) return ['text/plain', 'application/pdf'];
    const codes = (Object.hasOwn(valueSets, url) ? valueSets[url]?.codes : undefined)?.flatMap(
      ([, list]) => list ?? [],
    );
    return codes?.length === 0 ? undefined : codes;
  };

/**
 * A generated resource without the elements that break an invariant in the company of the others: what was made up at
 * random is taken out again, issue by issue, until `validate` finds nothing.
 */
export function generateValid(
  definitions: Definitions,
  type: string,
  validate: (resource: unknown) => readonly Issue[],
  options: GenerateOptions = {},
): GeneratedResource {
  const minimal = (): GeneratedResource => ({
    ...generateResource(definitions, type, { ...options, fill: 'minimal' }),
    ...NEEDED[type],
  });
  const resource = options.fill === 'minimal' ? minimal() : generateResource(definitions, type, options);
  // One that is on has criteria and an endpoint that work, or an expression.
  if (type === 'Subscription') resource['status'] = 'off';
  if (type === 'SearchParameter') resource['status'] = 'draft';
  for (let round = 0; round < 60; round++) {
    const faults = validate(resource);
    if (faults.length === 0) return resource;
    for (const { expression } of faults) leaveOut(resource, expression?.[0] ?? type);
  }
  return minimal();
}

/** What invariants require beyond the elements with a lowest count. */
const NEEDED: Readonly<Record<string, Json>> = {
  AllergyIntolerance: {
    clinicalStatus: {
      coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
    },
    verificationStatus: undefined,
  },
  Appointment: { status: 'proposed', participant: [{ actor: { display: 'Somebody' }, status: 'accepted' }] },
  AppointmentResponse: { participantStatus: 'accepted', actor: { display: 'Somebody' } },
  Bundle: { type: 'collection' },
  CapabilityStatement: { kind: 'requirements', description: 'A statement', rest: [{ mode: 'server' }] },
  Consent: { policy: [{ uri: 'https://example.org/policies/1' }] },
  EventDefinition: { trigger: [{ type: 'named-event', name: 'an-event' }] },
  ImmunizationRecommendation: {
    recommendation: [{ vaccineCode: [{ text: 'a vaccine' }], forecastStatus: { text: 'due' } }],
  },
  InsurancePlan: { name: 'A plan' },
  Linkage: { item: ['source', 'alternate'].map((use) => ({ type: use, resource: { reference: 'Patient/p1' } })) },
  MolecularSequence: { coordinateSystem: 0 },
  NamingSystem: { kind: 'codesystem' },
  Organization: { name: 'An organisation' },
  ResearchElementDefinition: {
    characteristic: [{ definitionCodeableConcept: { text: 'a characteristic' } }],
  },
  StructureDefinition: {
    abstract: true,
    kind: 'logical',
    differential: { element: [{ id: 'Thing', path: 'Thing' }] },
  },
  TerminologyCapabilities: { kind: 'requirements', description: 'A statement' },
};

/** Takes out the element at a FHIRPath, or the last of its own elements where it is the resource. */
function leaveOut(resource: GeneratedResource, path: string): void {
  const steps = [...path.matchAll(/\.(\w+)(?:\[(\d+)\])?/g)];
  let holder: Json = resource;
  for (const [i, [, name = '', index]] of steps.entries()) {
    // A choice is named without its type.
    const key = name in holder ? name : (Object.keys(holder).find((one) => one.startsWith(name)) ?? name);
    const value = holder[key];
    const isLast = i === steps.length - 1;
    const next = index === undefined ? value : (value as unknown[] | undefined)?.[Number(index)];
    if (isLast || typeof next !== 'object' || next === null) {
      delete holder[key];
      delete holder[`_${key}`];
      return;
    }
    holder = next as Json;
  }
  const last = Object.keys(resource).findLast((name) => name !== 'resourceType' && name !== 'id');
  if (last !== undefined) delete resource[last];
}

class Maker {
  readonly #definitions: Definitions;
  readonly #seed: number;
  readonly #random: (below: number) => number;
  readonly #codesOf: GenerateOptions['codesOf'];
  #turn = 0;

  constructor(
    definitions: Definitions,
    seed: number,
    random: (below: number) => number,
    codesOf: GenerateOptions['codesOf'],
  ) {
    this.#definitions = definitions;
    this.#seed = seed;
    this.#random = random;
    this.#codesOf = codesOf;
  }

  object(typeName: string, full: boolean, depth: number): Json {
    const type = this.#definitions.types[typeName];
    if (type === undefined) throw new Error(`no definition of ${typeName}`);
    const made: Json = {};
    const special = this.#special(typeName, depth);
    if (special !== undefined) return special;
    for (const element of type.elements)
      if (element.min > 0 || (full && this.#wanted(element, typeName, depth))) this.#add(made, element, full, depth);
    // An id alone is no content (ele-1).
    if (Object.keys(made).every((name) => name === 'id') && type.kind !== 'resource') {
      const usable = type.elements.filter((e) => !NEVER_ALONE.has(e.name));
      const simple = usable.find((e) => this.#isPrimitive(e.types[0]!.code)) ?? usable[0]!;
      this.#add(made, simple, false, depth);
    }
    return made;
  }

  /** A contained resource must be pointed to from its container: an extension does. */
  addContained(resource: GeneratedResource): void {
    resource['contained'] = [{ resourceType: 'Organization', id: 'c1', name: 'Contained' }];
    resource['extension'] = [
      { url: 'http://example.org/fhir/StructureDefinition/kept-inside', valueReference: { reference: '#c1' } },
    ];
  }

  #special(typeName: string, depth: number): Json | undefined {
    if (typeName === 'Extension') {
      const url = 'http://example.org/fhir/StructureDefinition/note';
      if (depth < 2 && this.#random(3) === 0) return { url, extension: [{ url: 'part', valueBoolean: true }] };
      return { url, ...this.#choice('Extension', 'value', depth) };
    }
    if (typeName === 'Period')
      return { start: `${1950 + this.#random(40)}-02-03T04:05:06Z`, end: `${1990 + this.#random(40)}-02-03` };
    if (typeName === 'Parameters.parameter') {
      const name = this.#text('name');
      const turn = this.#turn++ % 3;
      if (turn === 1 && depth < 3) return { name, part: [{ name: 'part', valueInteger: 7 }] };
      if (turn === 2) return { name, resource: this.#inner() };
      return { name, ...this.#choice('Parameters.parameter', 'value', depth) };
    }
    if (typeName === 'Bundle.entry') return { fullUrl: this.#primitive('uuid', undefined), resource: this.#inner() };
    return undefined;
  }

  #choice(typeName: string, name: string, depth: number): Json {
    const element = this.#definitions.types[typeName]!.elements.find((e) => e.name === name)!;
    const made: Json = {};
    this.#add(made, element, false, depth);
    return made;
  }

  #inner(): Json {
    return { resourceType: 'Patient', id: `inner-${this.#random(1000)}`, active: true };
  }

  #wanted(element: ElementDefinition, typeName: string, depth: number): boolean {
    const name = element.name;
    if (name === 'extension') return depth <= 1;
    if (name === 'modifierExtension') return depth === 0;
    if (name === 'id' && depth > 0) return this.#random(4) === 0;
    if (depth >= FULL_DEPTH) return this.#isPrimitive(element.types[0]!.code);
    // An element that holds its own type, near or far, ends here.
    return !(depth > 1 && element.types.some((t) => typeName.startsWith(t.code)));
  }

  #add(into: Json, element: ElementDefinition, full: boolean, depth: number): void {
    const type =
      element.types[element.choice ? (this.#seed + (depth > 0 ? this.#turn++ : 0)) % element.types.length : 0]!;
    const name = element.choice ? choiceName(element.name, type.code) : element.name;
    const values = Array.from({ length: element.max === 1 || !full ? 1 : 1 + this.#random(2) }, () =>
      this.#value(type, element, full, depth),
    );
    into[name] = element.max === 1 ? values[0] : values;
    // Every now and then a primitive has an extension beside it.
    if (full && this.#isPrimitive(type.code) && name !== 'id' && type.code !== 'xhtml' && this.#random(8) === 0) {
      const beside = { extension: [{ url: 'http://example.org/fhir/StructureDefinition/beside', valueCode: 'x' }] };
      into[`_${name}`] = element.max === 1 ? beside : values.map((_, i) => (i === values.length - 1 ? beside : null));
    }
  }

  #value(type: ElementType, element: ElementDefinition, full: boolean, depth: number): unknown {
    if (type.code === 'Reference') return this.#reference(type.targets);
    if (type.code === 'Resource' || this.#definitions.types[type.code]?.kind === 'resource')
      return type.code === 'Resource'
        ? this.#inner()
        : { resourceType: type.code, ...this.object(type.code, false, depth + 1) };
    if (type.code === 'canonical')
      return `http://example.org/fhir/${type.targets?.[0] ?? 'ValueSet'}/c${this.#random(99)}|1.0`;
    if (this.#isPrimitive(type.code)) return this.#primitive(type.code, element);
    if (element.binding?.strength === 'required') {
      const coding = this.#coding(element.binding.valueSet);
      if (type.code === 'Coding' && coding) return coding;
      if (type.code === 'CodeableConcept' && coding) return { coding: [coding], text: this.#text('concept') };
    }
    return this.object(type.code, full && depth < FULL_DEPTH, depth + 1);
  }

  #coding(valueSet: string): Json | undefined {
    const held = this.#definitions.valueSets[valueSet.split('|')[0]!];
    const [system, codes] = held?.codes[0] ?? [];
    if (system === undefined) return undefined;
    return { system, code: codes ? codes[this.#random(codes.length)] : `code-${this.#random(100)}` };
  }

  #isPrimitive(code: string): boolean {
    return this.#definitions.primitives[code] !== undefined;
  }

  #reference(targets: readonly string[] | undefined): Json {
    const target = targets === undefined || targets.length === 0 ? 'Patient' : targets[this.#random(targets.length)]!;
    const id = `${target.toLowerCase()}-${this.#random(1000)}`;
    switch (this.#random(6)) {
      case 0:
        return { reference: `${target}/${id}/_history/${1 + this.#random(9)}`, type: target };
      case 1:
        return { reference: `https://example.org/fhir/${target}/${id}` };
      case 2:
        return { identifier: { system: 'https://example.org/ids', value: id }, type: target };
      default:
        return { reference: `${target}/${id}`, display: this.#text('display') };
    }
  }

  #text(of: string): string {
    return `${of} ${this.#random(1000)}`;
  }

  #primitive(type: string, element: ElementDefinition | undefined): unknown {
    const random = this.#random;
    const year = 1950 + random(80);
    const month = String(1 + random(12)).padStart(2, '0');
    const day = String(1 + random(28)).padStart(2, '0');
    const clock = `${String(random(24)).padStart(2, '0')}:${String(random(60)).padStart(2, '0')}:30`;
    const hex = (length: number): string => Array.from({ length }, () => random(16).toString(16)).join('');
    switch (type) {
      case 'boolean':
        return random(2) === 0;
      case 'integer':
        return random(200) - 100;
      case 'unsignedInt':
        return random(200);
      case 'positiveInt':
        return 1 + random(200);
      case 'decimal':
        return random(10_000) / 100;
      case 'date':
        return [`${year}`, `${year}-${month}`, `${year}-${month}-${day}`][random(3)];
      case 'dateTime':
        return [
          `${year}-${month}-${day}`,
          `${year}-${month}-${day}T${clock}Z`,
          `${year}-${month}-${day}T${clock}.5+01:00`,
        ][random(3)];
      case 'instant':
        return `${year}-${month}-${day}T${clock}.123Z`;
      case 'time':
        return clock;
      case 'base64Binary':
        return Buffer.from(this.#text('data')).toString('base64');
      case 'id':
        return `id-${random(100_000)}`;
      case 'code': {
        const codes = element?.binding && this.#codesOf?.(element.binding.valueSet);
        return codes && codes.length > 0 ? codes[random(codes.length)] : `code-${random(100)}`;
      }
      case 'oid':
        return `urn:oid:1.2.${random(1000)}.3`;
      case 'uuid':
        return `urn:uuid:${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
      case 'uri':
      case 'url':
        return `https://example.org/${element?.name ?? 'uri'}/${random(1000)}`;
      case 'xhtml':
        return `<div xmlns="http://www.w3.org/1999/xhtml"><p>${this.#text('Text')}</p></div>`;
      default:
        // Element.id is a string that may not have spaces.
        return element?.name === 'id' ? `e${random(1000)}` : this.#text(element?.name ?? 'text');
    }
  }
}

/** Mulberry32 over a seed and a name; returns whole numbers below a bound. */
function createRandom(seed: number, name: string): (below: number) => number {
  let state = seed | 0;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 0x9e3779b1);
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

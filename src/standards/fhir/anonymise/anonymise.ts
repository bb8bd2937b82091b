/**
 * A resource of the same shape in which nobody can be found: ids, names, addresses and numbers are others, dates are moved,
 * what people wrote is gone. Only what this file names is kept. SECURITY DP-08
 */
import type { Definitions } from '../definitions.ts';
import { type Change, createTransform, DESCEND, type Element, MASKED, type Transform } from '../transform.ts';
import {
  createDraw,
  createTestNhsNumbers,
  type Draw,
  pseudonymousAddress,
  pseudonymousContact,
  pseudonymousId,
  pseudonymousName,
  pseudonymousValue,
} from './pseudonyms.ts';
import { shiftDate } from './shift-date.ts';

type Resource = Readonly<Record<string, unknown>> & { readonly resourceType: string };

export interface AnonymiserOptions {
  readonly definitions: Definitions;
  /** Of 32 bytes; who has it could tell whose copy a resource is. */
  readonly key: Buffer;
  /** Base of absolute references to the server. */
  readonly baseUrl: string;
  readonly nhsNumberSystem: string;
}

export interface Anonymiser {
  /** Local references of a resource, `Type/id`, so that its caller finds out which of them lead anywhere. */
  referencesOf(resource: Resource): ReadonlySet<string>;
  anonymise(resource: Resource, exists: (reference: string) => boolean): Resource;
}

const SHIFT_DAYS_MAX = 180;
const REMOVED = 'removed';

/** Extensions of whose values the definitions are public. */
const KNOWN_EXTENSIONS = [
  'http://hl7.org/fhir/StructureDefinition/',
  'https://fhir.hl7.org.uk/StructureDefinition/',
  'https://fhir.nhs.uk/StructureDefinition/',
  'https://mortar-fhir.org/StructureDefinition/',
];
/** Identifier systems that say nothing of who uses them. */
const KNOWN_SYSTEMS = ['https://fhir.nhs.uk/Id/', 'https://fhir.hl7.org.uk/Id/', 'http://hl7.org/fhir/sid/'];

/** Kept as they are. */
const PLAIN = new Set(['boolean', 'code', 'decimal', 'integer', 'positiveInt', 'unsignedInt', 'time', 'canonical']);
const DATES = new Set(['date', 'dateTime', 'instant']);
const TEXTS = new Set(['string', 'markdown']);
/** Left out unless there must be one. */
const DROPPED = new Set(['Narrative', 'Annotation', 'Element', 'xhtml', 'base64Binary', 'id']);
const URIS = new Set(['uri', 'url', 'oid', 'uuid']);

/** Elements by which a resource says whose it is. */
const SUBJECTS = ['subject', 'patient', 'beneficiary', 'for', 'individual'];

export function createAnonymiser({ definitions, key, baseUrl, nhsNumberSystem }: AnonymiserOptions): Anonymiser {
  const transform = createTransform(definitions);
  const draw = createDraw(key);
  const nhsNumberOf = createTestNhsNumbers(draw);
  const local = (reference: string): string | undefined => {
    const path = reference.startsWith(`${baseUrl}/`) ? reference.slice(baseUrl.length + 1) : reference;
    return /^([A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64})(?:\/_history\/.*)?$/.exec(path)?.[1];
  };

  function changeOf(whose: string, patient: string, exists: (reference: string) => boolean): Change {
    const days = shiftOf(draw, patient);
    const change: Change = (element, value) => {
      const made = decide(element, value);
      const isComplex = /^[A-Z]/.test(element.type) && element.type !== 'Element' && element.type !== 'Resource';
      return made === undefined && element.required && isComplex ? MASKED : made;
    };
    const decide: Change = (element, value) => {
      const { type, name, owner, required } = element;
      if (PLAIN.has(type)) return value;
      if (DATES.has(type)) return shiftDate(String(value), days) ?? (required ? '2000-01-01' : undefined);
      if (TEXTS.has(type)) return textFor(draw, element, whose, value);
      if (URIS.has(type)) return uriFor(draw, element, value);
      if (DROPPED.has(type)) return required ? standIn(draw, type, value) : undefined;
      switch (type) {
        case 'Reference':
          return referenceFor(value as { reference?: string });
        case 'Identifier':
          return identifierFor(value as IdentifierShape);
        case 'HumanName':
          return {
            ...useOf(value),
            ...pseudonymousName(draw, owner === whose.split('/')[0] ? whose : `${whose} ${owner}`),
          };
        case 'Address':
          return { ...useOf(value), ...pseudonymousAddress(draw, `${whose} ${owner}`) };
        case 'ContactPoint':
          return contactFor(value as { system?: string; value?: string; use?: string });
        case 'Attachment':
          return required ? { title: REMOVED } : undefined;
        case 'Meta':
          return metaFor(transform, value, change);
        case 'CodeableConcept':
          return conceptFor(value as ConceptShape) ?? (required ? { text: REMOVED } : undefined);
        case 'Extension':
          return extensionFor(value, name);
        case 'Resource':
          return nested(value as Resource);
        default:
          return DESCEND;
      }
    };

    function referenceFor({ reference }: { readonly reference?: string }): unknown {
      if (reference?.startsWith('#') === true) return { reference: `#${containedId(reference.slice(1))}` };
      const path = reference === undefined ? undefined : local(reference);
      if (path === undefined || !exists(path)) return { display: REMOVED };
      return { reference: `${path.split('/')[0]}/${pseudonymousId(draw, path)}` };
    }

    function identifierFor({ system, value, use }: IdentifierShape): unknown {
      if (value === undefined) return undefined;
      const isKnown = system !== undefined && KNOWN_SYSTEMS.some((prefix) => system.startsWith(prefix));
      const asSystem = isKnown
        ? system
        : `urn:removed:${draw('system', system ?? '')
            .toString('hex')
            .slice(0, 12)}`;
      const asValue = system === nhsNumberSystem ? nhsNumberOf(value) : pseudonymousValue(draw, system ?? '', value);
      return { ...(use !== undefined && { use }), system: asSystem, value: asValue };
    }

    function contactFor({
      system,
      value,
      use,
    }: {
      readonly system?: string;
      readonly value?: string;
      readonly use?: string;
    }) {
      return {
        ...(system !== undefined && { system }),
        value: pseudonymousContact(draw, system, value ?? ''),
        ...(use !== undefined && { use }),
      };
    }

    function extensionFor(value: unknown, name: string): unknown {
      const { url = '' } = value as { readonly url?: string };
      // One within another has a name, not an address.
      const isKnown = !url.includes(':') || KNOWN_EXTENSIONS.some((prefix) => url.startsWith(prefix));
      if (!isKnown || name === 'modifierExtension') return undefined;
      const kept = transform.value('Extension', value as Readonly<Record<string, unknown>>, change);
      return kept === undefined || Object.keys(kept).length < 2 ? undefined : kept;
    }

    const containedId = (id: string): string => pseudonymousId(draw, `${whose}#${id}`).slice(0, 13);

    function nested(resource: Resource): unknown {
      const { id } = resource;
      const kept = transform({ ...resource, id: undefined } as unknown as Resource, change);
      if (!kept) return undefined;
      const { resourceType, ...rest } = kept;
      return { resourceType, ...(typeof id === 'string' && { id: containedId(id) }), ...rest };
    }

    return change;
  }

  return {
    referencesOf(resource) {
      const found = new Set<string>();
      transform(resource, ({ type }, value) => {
        const { reference } = type === 'Reference' ? (value as { readonly reference?: string }) : {};
        const path = reference === undefined ? undefined : local(reference);
        if (path !== undefined) found.add(path);
        return DESCEND;
      });
      return found;
    },

    anonymise(resource, exists) {
      const { resourceType, id } = resource;
      const path = `${resourceType}/${id}`;
      const change = changeOf(path, patientOf(resource, path, local), exists);
      const made = transform({ ...resource, id: undefined } as unknown as Resource, change) as Resource;
      const { resourceType: type, ...rest } = made;
      return { resourceType: type, id: pseudonymousId(draw, path), ...rest };
    },
  };
}

interface IdentifierShape {
  readonly system?: string;
  readonly value?: string;
  readonly use?: string;
}

interface ConceptShape {
  readonly coding?: readonly { readonly system?: string; readonly code?: string }[];
}

/** The patient a resource is about; nothing where it is about nobody. */
function patientOf(resource: Resource, path: string, local: (reference: string) => string | undefined): string {
  if (resource.resourceType === 'Patient') return path;
  for (const name of SUBJECTS) {
    const { reference } = (resource[name] ?? {}) as { readonly reference?: string };
    const found = reference === undefined ? undefined : local(reference);
    if (found?.startsWith('Patient/') === true) return found;
  }
  const listed = [resource['participant'], resource['target']].flatMap((one) => (Array.isArray(one) ? one : []));
  for (const one of listed as { readonly reference?: string; readonly actor?: { readonly reference?: string } }[]) {
    const found = local(one.reference ?? one.actor?.reference ?? '');
    if (found?.startsWith('Patient/') === true) return found;
  }
  return '';
}

/** Days by which all dates of a patient move together: never none. */
function shiftOf(draw: Draw, patient: string): number {
  const days = draw('shift', patient).readUInt32BE(0) % (2 * SHIFT_DAYS_MAX);
  return days < SHIFT_DAYS_MAX ? days - SHIFT_DAYS_MAX : days - SHIFT_DAYS_MAX + 1;
}

const useOf = (value: unknown): { readonly use?: string } => {
  const { use } = value as { readonly use?: string };
  return use === undefined ? {} : { use };
};

/** Names of organisations and places become others; all other words go. */
function textFor(draw: Draw, { name, owner, required }: Element, whose: string, value: unknown): unknown {
  if (name === 'id') return undefined;
  const isNamed =
    name === 'name' && (owner === 'Organization' || owner === 'Location' || owner === 'HealthcareService');
  if (isNamed) return `${owner} ${draw('text', `${whose} ${value}`).toString('hex').slice(0, 8)}`;
  // A number without any unit would be another number.
  return required || (name === 'unit' && owner === 'Quantity') ? REMOVED : undefined;
}

/** What stands where there must be something. */
function standIn(draw: Draw, type: string, value: unknown): unknown {
  if (type === 'id') return draw('id value', String(value)).toString('hex').slice(0, 32);
  if (type === 'base64Binary') return 'AAAA';
  return type === 'Annotation' ? { text: REMOVED } : undefined;
}

/** Systems of codes are kept. */
function uriFor(draw: Draw, { type, owner, name, required }: Element, value: unknown): unknown {
  if (name === 'system' && (owner === 'Coding' || owner === 'Quantity')) return value;
  if (owner === 'Extension') return value;
  if (!required) return undefined;
  const bytes = draw('uri', String(value));
  if (type === 'oid') return `urn:oid:2.25.${bytes.readUInt32BE(0) + 1}`;
  if (type === 'uuid') return `urn:uuid:${pseudonymousId(draw, String(value))}`;
  return `urn:removed:${bytes.toString('hex').slice(0, 16)}`;
}

/** Codes of some system; a code without one is a word like any other. */
function conceptFor({ coding = [] }: ConceptShape): unknown {
  const kept = coding.flatMap(({ system, code }) =>
    system !== undefined && code !== undefined ? [{ system, code }] : [],
  );
  return kept.length === 0 ? undefined : { coding: kept };
}

/** Labels and profiles; who or what it came from goes. */
function metaFor(transform: Transform, value: unknown, change: Change): unknown {
  const { lastUpdated, profile, security } = value as Readonly<Record<string, unknown>>;
  return transform.value('Meta', { lastUpdated, profile, security }, change);
}

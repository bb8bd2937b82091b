/** The resources a message is made of: found by type, and by what refers to them. */
import { Decimal } from '../../../standards/fhir/json.ts';
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { type Json, present } from '../compact.ts';

/** Whatever was sent, as an object or nothing. */
export const objectOf = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
/** The objects of a list. */
export const listOf = (value: unknown): readonly Json[] => (Array.isArray(value) ? present(value.map(objectOf)) : []);
/** Texts, numbers and booleans as they are written; numbers keep their digits. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value instanceof Decimal ? value.toString() : undefined;
}
export const textsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? present(value.map(textOf)) : []);

export class Source {
  readonly issues: Issue[] = [];
  readonly #resources: readonly Json[];
  readonly #byUrl = new Map<string, Json>();
  readonly #used = new Set<Json>();

  /** A Bundle of any type, or one resource. */
  constructor(content: unknown) {
    const root = objectOf(content) ?? {};
    const isBundle = root['resourceType'] === 'Bundle';
    const entries = isBundle ? listOf(root['entry']) : [{ resource: root }];
    this.#resources = present(entries.map((entry) => objectOf(entry['resource'])));
    for (const entry of entries) {
      const resource = objectOf(entry['resource']);
      const url = 'fullUrl' in entry ? textOf(entry['fullUrl']) : undefined;
      if (resource === undefined) continue;
      if (url !== undefined) this.#byUrl.set(url, resource);
      const id = textOf(resource['id']);
      if (id !== undefined) this.#byUrl.set(`${textOf(resource['resourceType'])}/${id}`, resource);
    }
  }

  all(type: string): readonly Json[] {
    const found = this.#resources.filter((resource) => resource['resourceType'] === type);
    for (const resource of found) this.#used.add(resource);
    return found;
  }

  first(type: string): Json | undefined {
    const [found] = this.#resources.filter((resource) => resource['resourceType'] === type);
    if (found !== undefined) this.#used.add(found);
    return found;
  }

  has(type: string): boolean {
    return this.#resources.some((resource) => resource['resourceType'] === type);
  }

  /** What a Reference points at, in the Bundle or contained in `from`. */
  resolve(reference: unknown, from?: Json): Json | undefined {
    const url = textOf(objectOf(reference)?.['reference']);
    if (url === undefined) return undefined;
    if (url.startsWith('#')) return listOf(from?.['contained']).find(({ id }) => textOf(id) === url.slice(1));
    const found = this.#byUrl.get(url) ?? this.#byUrl.get(url.split('/').slice(-2).join('/'));
    if (found !== undefined) this.#used.add(found);
    return found;
  }

  /** Whether a reference points at this resource; one without any, at whatever there is. */
  pointsAt(reference: unknown, resource: Json | undefined): boolean {
    return resource !== undefined && this.resolve(reference) === resource;
  }

  warn(diagnostics: string, expression: string): void {
    this.issues.push({ severity: 'warning', code: 'not-supported', diagnostics, expression: [expression] });
  }

  fail(diagnostics: string, expression: string): void {
    this.issues.push({ severity: 'error', code: 'required', diagnostics, expression: [expression] });
  }

  /** Resources of which nothing went into the message. */
  tellUnused(): void {
    const types = new Set(
      this.#resources.filter((resource) => !this.#used.has(resource)).map((r) => textOf(r['resourceType'])),
    );
    for (const type of types) this.#note(`${type} is not part of this message`, String(type));
  }

  /** Elements of a resource that the message has no field for. */
  tellUnsent(resource: Json, sent: readonly string[]): void {
    const type = textOf(resource['resourceType']) ?? 'Resource';
    for (const name of Object.keys(resource))
      if (!name.startsWith('_') && !NOT_CONTENT.has(name) && !sent.includes(name))
        this.#note(`${type}.${name} has no place in this message`, `${type}.${name}`);
  }

  #note(diagnostics: string, expression: string): void {
    if (this.issues.some((issue) => issue.expression?.[0] === expression && issue.severity === 'information')) return;
    this.issues.push({ severity: 'information', code: 'informational', diagnostics, expression: [expression] });
  }
}

const NOT_CONTENT = new Set([
  'resourceType',
  'id',
  'meta',
  'text',
  'language',
  'implicitRules',
  'contained',
  'extension',
]);

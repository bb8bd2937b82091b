/** Scopes of SMART App Launch 2.2, versions 1 and 2. https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html */
import { checkConstraint, type IsParameter } from './constraint.ts';
import { ScopeError } from './scope-error.ts';

/** What a scope allows: create, read, update, delete, search. */
export type Letter = 'c' | 'r' | 'u' | 'd' | 's';

export type Level = 'patient' | 'user' | 'system';

export interface ResourceScope {
  readonly level: Level;
  /** A resource type, or `*`. */
  readonly type: string;
  /** In the order `cruds`. */
  readonly letters: readonly Letter[];
  /** Search parameters that every instance must match, as a query string: `category=laboratory`. */
  readonly constraint?: string;
}

/** One scope in the form it was asked for, which is the form it is granted in. SECURITY SC-01 */
export interface Scope {
  readonly text: string;
  /** Absent where the scope is not about resources: `openid`, `launch/patient`, `prescription:read`. */
  readonly resource?: ResourceScope;
}

/** What scopes may speak of. */
export interface ScopeVocabulary {
  readonly isType: (type: string) => boolean;
  readonly isParameter: IsParameter;
}

/** Scopes that are not about resources. */
const OTHER_SCOPES = [
  'openid',
  'fhirUser',
  'profile',
  'launch',
  'launch/patient',
  'launch/encounter',
  'offline_access',
  'online_access',
  'prescription:read',
  'prescription:write',
  'pharmacy:read',
  'pharmacy:nominate',
] as const;

/** Whether a scope speaks of a type with a letter. */
export const covers = (scope: ResourceScope, type: string, letter: Letter): boolean =>
  (scope.type === '*' || scope.type === type) && scope.letters.includes(letter);

const SCOPES_MAX = 200;
const SCOPE_BYTES_MAX = 8 * 1024;
const CONSTRAINED_MAX = 40;

const others: ReadonlySet<string> = new Set(OTHER_SCOPES);
const ALL: readonly Letter[] = ['c', 'r', 'u', 'd', 's'];
const VERSION_1 = new Map<string, readonly Letter[]>([
  ['read', ['r', 's']],
  ['write', ['c', 'u', 'd']],
  ['*', ALL],
]);
const RESOURCE = /^(patient|user|system)\/(\*|[A-Z][A-Za-z]+)\.(\*|[a-z]+)(?:\?(.*))?$/;
/** RFC 6749 section 3.3; the text is split at spaces already. */
const TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/**
 * Reads what a client asks for. Scopes that are unknown or wrongly spelt are left out, never guessed at (SC-02); the
 * answer may therefore be empty. Throws `ScopeError` above the limits (SC-10) and for a constraint that is not
 * supported (SC-09).
 */
export function parseScopes(text: string, vocabulary: ScopeVocabulary): readonly Scope[] {
  if (Buffer.byteLength(text) > SCOPE_BYTES_MAX)
    throw new ScopeError(`the scopes are longer than ${SCOPE_BYTES_MAX} bytes`);
  const tokens = new Set(text.split(' ').filter((token) => token !== ''));
  if (tokens.size > SCOPES_MAX) throw new ScopeError(`there are more than ${SCOPES_MAX} scopes`);
  const scopes: Scope[] = [];
  let constrained = 0;
  for (const token of tokens) {
    if (!TOKEN.test(token)) continue;
    const scope = parseScope(token);
    if (!scope) continue;
    const { resource } = scope;
    if (resource && resource.type !== '*' && !vocabulary.isType(resource.type)) continue;
    if (resource?.constraint !== undefined) {
      constrained += 1;
      if (constrained > CONSTRAINED_MAX) throw new ScopeError(`more than ${CONSTRAINED_MAX} scopes have constraints`);
      checkConstraint(resource.type, resource.constraint, vocabulary.isParameter);
    }
    scopes.push(scope);
  }
  return scopes;
}

/** Reads scopes that were granted before, and checked then. */
export const parseGranted = (text: string): readonly Scope[] =>
  text.split(' ').flatMap((token) => parseScope(token) ?? []);

/** One scope; undefined when the grammar does not know it. */
export function parseScope(text: string): Scope | undefined {
  if (others.has(text)) return { text };
  const [, level, type, perms, constraint] = RESOURCE.exec(text) ?? [];
  if (level === undefined || type === undefined || perms === undefined) return undefined;
  const letters = VERSION_1.get(perms) ?? parseLetters(perms);
  if (!letters || constraint === '') return undefined;
  return {
    text,
    resource: { level: level as Level, type, letters, ...(constraint !== undefined && { constraint }) }, // by RESOURCE
  };
}

/** Each letter at most once, and in the order of `cruds`. */
function parseLetters(perms: string): readonly Letter[] | undefined {
  const letters = ALL.filter((letter) => perms.includes(letter));
  return letters.join('') === perms && letters.length > 0 ? letters : undefined;
}

/** The scope string of version 2. */
export const formatResourceScope = ({ level, type, letters, constraint }: ResourceScope): string =>
  `${level}/${type}.${letters.join('')}${constraint === undefined ? '' : `?${constraint}`}`;

/** As a token answer and a table hold them. */
export const formatScopes = (scopes: readonly Scope[]): string => scopes.map(({ text }) => text).join(' ');

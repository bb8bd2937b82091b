/** Launch context `fhirContext`. https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#fhircontext SECURITY ST-03 */

type Item = Readonly<Record<string, unknown>>;

const ITEMS_MAX = 20;
const CHARS_MAX = 1000;
const MEMBERS: ReadonlySet<string> = new Set(['reference', 'canonical', 'identifier', 'type', 'role']);
/** A relative reference; patient and encounter have members of their own. */
const REFERENCE = /^([A-Z][A-Za-z]+)\/[A-Za-z0-9.-]{1,64}(?:\/_history\/[A-Za-z0-9.-]{1,64})?$/;

/** The list when each item is as the specification has it; undefined otherwise. */
export function checkFhirContext(value: unknown): readonly Item[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > ITEMS_MAX) return undefined;
  return value.every(isItem) ? value : undefined;
}

function isItem(value: unknown): value is Item {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const item = value as Item; // an object
  if (Object.keys(item).some((name) => !MEMBERS.has(name))) return false;
  const { reference, canonical, identifier, type, role } = item;
  if (reference === undefined && canonical === undefined && identifier === undefined) return false;
  return (
    (reference === undefined || isReference(reference, role)) &&
    (canonical === undefined || isUri(canonical)) &&
    (identifier === undefined || isIdentifier(identifier)) &&
    (type === undefined || (typeof type === 'string' && /^[A-Z][A-Za-z]+$/.test(type))) &&
    (role === undefined || role === 'launch' || isUri(role))
  );
}

/** A Patient or an Encounter only in another role than that of the launch, which is the role of what names none. */
function isReference(reference: unknown, role: unknown): boolean {
  const type = typeof reference === 'string' ? REFERENCE.exec(reference)?.[1] : undefined;
  const isOfLaunch = role === undefined || role === 'launch';
  return type !== undefined && !(isOfLaunch && (type === 'Patient' || type === 'Encounter'));
}

const isUri = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= CHARS_MAX && /^[a-z][a-z0-9+.-]*:[^\s<>"]+$/i.test(value);

/** A FHIR Identifier with nothing but its system and value. */
function isIdentifier(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { system, value: text, ...others } = value as Item; // an object
  const isText = typeof text === 'string' && text !== '' && text.length <= CHARS_MAX;
  return Object.keys(others).length === 0 && isText && (system === undefined || isUri(system));
}

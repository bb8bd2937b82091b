/** What a value of each primitive type must be. https://hl7.org/fhir/R4/datatypes.html#primitive */
import { Decimal } from '../json.ts';
import type { IssueCode } from '../outcome.ts';
import { dateFault, dateTimeFault, instantFault, timeFault } from './dates.ts';
import { xhtmlFault } from './xhtml.ts';

/** What is wrong, as the end of a sentence that begins with the element's name. Never holds the value. */
export interface Fault {
  readonly code: IssueCode;
  readonly text: string;
}
export type PrimitiveCheck = (value: unknown) => Fault | undefined;

/** https://hl7.org/fhir/R4/datatypes.html#string: "SHALL NOT exceed 1MB (1024*1024 characters) in size". */
const STRING_MAX = 1024 * 1024;
const INTEGER_MAX = 2 ** 31 - 1;

const INTEGER = /^-?(0|[1-9][0-9]*)$/;
const CODE = /^\S+(\s\S+)*$/;
const ID = /^[A-Za-z0-9\-.]{1,64}$/;
const OID = /^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$/;
const UUID = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const value = (text: string): Fault => ({ code: 'value', text });
const EMPTY = value('must not be empty; leave the element out instead');
const BLANK = value('must not be white space alone');
const CONTROL = value('must not hold control characters other than tab, line feed and carriage return');
const TOO_LONG: Fault = { code: 'too-long', text: `must not be longer than ${STRING_MAX} characters` };
const NOT_CODE = value('must be a code: no white space at the ends, single spaces inside');
const NOT_URI = value('must be a URI: no spaces, escape them as %20');
const NOT_ID = value('must be an id: 1 to 64 letters, digits, hyphens and points');
const NOT_OID = value('must be an OID such as urn:oid:1.2.3');
const NOT_UUID = value('must be a UUID in lower case such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520');
const NOT_BASE64 = value('must be base64: groups of four from A-Z, a-z, 0-9, + and /, padded with =');
const NOT_INTEGER = value(
  `must be a whole number from -${INTEGER_MAX + 1} to ${INTEGER_MAX}, without point or exponent`,
);
const NOT_UNSIGNED = value(`must be a whole number from 0 to ${INTEGER_MAX}, without point or exponent`);
const NOT_POSITIVE = value(`must be a whole number from 1 to ${INTEGER_MAX}, without point or exponent`);
const NOT_DECIMAL = value('must be a decimal number that is finite');

/** Names the JSON type found where another is needed. */
export function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Decimal || typeof value === 'number') return 'a number';
  if (typeof value === 'string') return 'a string';
  return typeof value === 'boolean' ? 'a boolean' : 'an object';
}

const wrongType = (needed: string, found: unknown): Fault => ({
  code: 'structure',
  text: `must be ${needed} in JSON, found ${jsonTypeOf(found)}`,
});

const stringCheck = (check: (text: string) => Fault | undefined): PrimitiveCheck => {
  return (value) => {
    if (typeof value !== 'string') return wrongType('a string', value);
    return value.length === 0 ? EMPTY : check(value);
  };
};
const matching = (pattern: RegExp, fault: Fault): PrimitiveCheck =>
  stringCheck((text) => (pattern.test(text) ? undefined : fault));

/** Turns the few faults of a date, once each, into issues. */
function dateCheck(faultOf: (text: string) => string | undefined): PrimitiveCheck {
  const faults = new Map<string, Fault>();
  return stringCheck((text) => {
    const found = faultOf(text);
    if (found === undefined) return undefined;
    let fault = faults.get(found);
    if (fault === undefined) {
      fault = value(found);
      faults.set(found, fault);
    }
    return fault;
  });
}

/** Whether every character is printable ASCII: the usual case, told without a pattern. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x20 || unit >= 0x7f) return false;
  }
  return true;
}

function stringFault(text: string): Fault | undefined {
  if (text.length > STRING_MAX) return TOO_LONG;
  let blank = true;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20) {
      if (unit !== 9 && unit !== 10 && unit !== 13) return CONTROL;
    } else if (unit > 0x20) blank = false;
  }
  return blank || (text.charCodeAt(0) > 0x7f && text.trim() === '') ? BLANK : undefined;
}

const codeFault = (text: string): Fault | undefined => (isPlain(text) || CODE.test(text) ? undefined : NOT_CODE);
const uriFault = (text: string): Fault | undefined => (isPlain(text) || !/\s/.test(text) ? undefined : NOT_URI);

/** White space may stand anywhere, as lines of 76 characters do. */
function base64Fault(text: string): Fault | undefined {
  let count = 0;
  let padding = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x20 || (unit >= 9 && unit <= 13)) continue;
    count++;
    if (unit === 0x3d) padding++;
    else if (padding > 0 || !isBase64(unit)) return NOT_BASE64;
  }
  return count === 0 || count % 4 !== 0 || padding > 2 ? NOT_BASE64 : undefined;
}
const isBase64 = (unit: number): boolean =>
  (unit >= 0x61 && unit <= 0x7a) ||
  (unit >= 0x41 && unit <= 0x5a) ||
  (unit >= 0x30 && unit <= 0x39) ||
  unit === 0x2b ||
  unit === 0x2f;

function integerCheck(min: number, fault: Fault): PrimitiveCheck {
  return (value) => {
    if (typeof value === 'number')
      return Number.isInteger(value) && value >= min && value <= INTEGER_MAX ? undefined : fault;
    if (!(value instanceof Decimal)) return wrongType('a number', value);
    return INTEGER.test(value.text) && value.value >= min && value.value <= INTEGER_MAX ? undefined : fault;
  };
}

const decimalCheck: PrimitiveCheck = (value) => {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : NOT_DECIMAL;
  return value instanceof Decimal ? undefined : wrongType('a number', value);
};

const string = stringCheck(stringFault);
const uri = stringCheck(uriFault);

/** The check of each primitive type. */
export const PRIMITIVES: ReadonlyMap<string, PrimitiveCheck> = new Map<string, PrimitiveCheck>([
  ['base64Binary', stringCheck(base64Fault)],
  ['boolean', (value) => (typeof value === 'boolean' ? undefined : wrongType('true or false', value))],
  ['canonical', uri],
  ['code', stringCheck(codeFault)],
  ['date', dateCheck(dateFault)],
  ['dateTime', dateCheck(dateTimeFault)],
  ['decimal', decimalCheck],
  ['id', matching(ID, NOT_ID)],
  ['instant', dateCheck(instantFault)],
  ['integer', integerCheck(-INTEGER_MAX - 1, NOT_INTEGER)],
  ['markdown', string],
  ['oid', matching(OID, NOT_OID)],
  ['positiveInt', integerCheck(1, NOT_POSITIVE)],
  ['string', string],
  ['time', dateCheck(timeFault)],
  ['unsignedInt', integerCheck(0, NOT_UNSIGNED)],
  ['uri', uri],
  ['url', uri],
  ['uuid', matching(UUID, NOT_UUID)],
  ['xhtml', dateCheck(xhtmlFault)],
]);

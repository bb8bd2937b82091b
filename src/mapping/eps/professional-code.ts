/** By which number a prescriber is known. */
import { idIn } from '../../standards/hl7v3/identifier.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { findIdentifier, identifierOf } from './choose.ts';
import { tooFewValues, tooManyValues } from './fault.ts';
import type { Node } from './node.ts';
import { ID_SYSTEM } from './systems.ts';

type Identifiers = readonly Node[] | undefined;

/** The number of a person, from the identifiers of the practitioner and of the role. */
export type PersonId = (practitioner: Identifiers, role: Identifiers) => XmlElement;

const PATH = 'Practitioner.identifier';
const PROFESSIONAL_CODES = ['gmc', 'gmp', 'nmc', 'gphc', 'hcpc', 'professional'] as const;

/** The one code of a professional body. */
export const authorId: PersonId = (practitioner) => {
  const codes = PROFESSIONAL_CODES.flatMap((body) => {
    const code = findIdentifier(practitioner, ID_SYSTEM[body], PATH);
    // GMC numbers are sent without the letter they may begin with.
    return code === undefined || code === '' ? [] : [body === 'gmc' ? code.replace(/^c/i, '') : code];
  });
  const [code, ...others] = codes;
  const expected = 'Expected exactly one professional code. One of GMC|GMP|NMC|GPhC|HCPC|unknown.';
  if (code === undefined) throw tooFewValues(`${expected} `, PATH);
  if (others.length > 0) throw tooManyValues(`${expected} But got: ${codes.join(', ')}`, PATH);
  return idIn('professionalCode', code);
};

/** The prescribing code: a spurious code of the role, else the doctor's index number, else the professional code. */
export const responsiblePartyId: PersonId = (practitioner, role) => {
  const code =
    findIdentifier(role, ID_SYSTEM.spurious, 'PractitionerRole.identifier') ||
    findIdentifier(practitioner, ID_SYSTEM.din, PATH);
  return code ? idIn('professionalCode', code) : authorId(practitioner, role);
};

/** The SDS user id, as cancellations have it. */
export const sdsUserId: PersonId = (practitioner) =>
  idIn('sdsUser', identifierOf(practitioner, ID_SYSTEM.sdsUser, PATH));

/** Instance identifiers (II) and coded values (CV, CE) of V3 messages. */
import type { XmlElement } from '../xml/tree.ts';
import { element } from './element.ts';
import { OID, type OidName } from './oid.ts';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/** A globally unique id: upper case when it holds a UUID anywhere, else as it is. */
export const globalId = (id: string | undefined): XmlElement =>
  element('id', { root: id !== undefined && UUID.test(id) ? id.toUpperCase() : id });

/** An id within the register that `root` names. */
export const idIn = (root: OidName, extension: string | undefined, name = 'id'): XmlElement =>
  element(name, { extension, root: OID[root] });

/** A code of the system named, with its text where the message carries it. */
export const codeIn = (
  system: OidName,
  code: string | undefined,
  displayName?: string | undefined,
  name = 'code',
): XmlElement => element(name, { code, codeSystem: OID[system], displayName });

/** SNOMED CT concepts the messages are marked with. */
export const SNOMED = {
  prescription: codeIn('snomedCt', '163501000000109', 'Prescription - FocusActOrEvent (record artifact)'),
  dispensedMedication: codeIn(
    'snomedCt',
    '163541000000107',
    'Dispensed Medication - FocusActOrEvent (administrative concept)',
  ),
  careRecordElement: codeIn('snomedCt', '185361000000102', 'Medication - care record element (record artifact)'),
  administration: codeIn('snomedCt', '225426007', 'Administration of therapeutic substance (procedure)'),
  /** Supply headers carry the code without its text. */
  administrationCodeOnly: codeIn('snomedCt', '225426007'),
  dispensing: codeIn('snomedCt', '373784005', 'Dispensing medication (procedure)'),
} as const;

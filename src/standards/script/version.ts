/** Which SCRIPT a message speaks (reference section 1, "Version detection"). */
import { attributeOf, type XmlElement } from '../xml/tree.ts';

export type ScriptVersion = '10.6' | '2017071' | '2023011';

export interface VersionFinding {
  /** The version whose model the message is read by; 2017071 where it says nothing that is known. */
  readonly readAs: ScriptVersion;
  /** Whether the message says so itself, says nothing, or names a version that is not known. */
  readonly found: 'stated' | 'absent' | 'unknown';
}

/** By the attributes of Message, never by its namespace: 2017071 has none, and some senders write one. */
export function findVersion(message: XmlElement): VersionFinding {
  const version = attributeOf(message, 'version');
  if (version !== undefined && attributeOf(message, 'release') !== undefined) return stated('10.6');
  const stamp = attributeOf(message, 'TransactionVersion') ?? attributeOf(message, 'DatatypesVersion') ?? version;
  if (stamp === undefined || stamp === '') return { readAs: '2017071', found: 'absent' };
  if (/^2017\d{3,4}$/.test(stamp)) return stated('2017071');
  if (/^2023\d{3,4}$/.test(stamp)) return stated('2023011');
  return { readAs: '2017071', found: 'unknown' };
}

const stated = (readAs: ScriptVersion): VersionFinding => ({ readAs, found: 'stated' });

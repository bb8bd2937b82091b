/** Bytes to a SCRIPT message, as far as they can be read (reference sections 1, 2, 24). */
import { type Issue, issue } from '../fhir/outcome.ts';
import { readXml, type XmlLimits } from '../xml/read.ts';
import { childOf, elementsOf, ownText, type XmlElement } from '../xml/tree.ts';
import { headerOf, type ScriptHeader, type ScriptMessage } from './message.ts';
import { ruleIssue } from './rule-issue.ts';
import { transactionKind } from './transactions.ts';
import { findVersion } from './version.ts';

/** Reference section 24.1. */
export const SCRIPT_LIMITS: XmlLimits = { bytes: 1024 * 1024, depth: 64, elements: 20_000 };

export interface ScriptReading {
  /** Absent where the content is no XML, has no Message or no transaction; then `issues` says why. */
  readonly message?: ScriptMessage;
  /** What of the header could be read, in broken documents too. */
  readonly header: ScriptHeader;
  readonly issues: readonly Issue[];
}

/** Total: broken bytes give issues, and the header if it stands whole before the break. */
export function readScript(raw: Buffer, limits: XmlLimits = SCRIPT_LIMITS): ScriptReading {
  const document = readXml(raw, limits);
  const root = document.value && unwrap(document.value, limits);
  if (root === undefined) return { header: salvageHeader(raw, document.issues), issues: document.issues };
  if (root.name !== 'Message')
    return {
      header: headerOf(undefined),
      issues: [issue('structure', 'The root element is not Message', root.name.slice(0, 64))],
    };
  const header = headerOf(childOf(root, 'Header'));
  const body = childOf(root, 'Body');
  const transaction = body && elementsOf(body)[0];
  if (transaction === undefined) {
    const what = body ? 'holds no transaction' : 'is missing';
    return { header, issues: [ruleIssue('transaction', { path: 'Message/Body', line: (body ?? root).line }, what)] };
  }
  const version = findVersion(root);
  const message: ScriptMessage = { version, kind: transactionKind(transaction.name), header, root, transaction };
  return { message, header, issues: versionIssues(message) };
}

function versionIssues({ version, root }: ScriptMessage): readonly Issue[] {
  const place = { path: 'Message/@TransactionVersion', line: root.line };
  if (version.found === 'absent')
    return [ruleIssue('version', place, 'is missing; the message is read as 2017071', true)];
  if (version.found === 'unknown') return [ruleIssue('version', place, 'names a version that is not known', true)];
  return [];
}

/** One switch sends the message as escaped text of an element of its own (reference section 24.6). */
function unwrap(root: XmlElement, limits: XmlLimits): XmlElement | undefined {
  if (root.name === 'Message' || elementsOf(root).length > 0) return root;
  const text = ownText(root).trim();
  return text.startsWith('<') ? (readXml(text, limits).value ?? root) : root;
}

const HEADER_MAX = 64 * 1024;

/**
 * The header of a document that breaks after it, read as a document of its own. Nothing is read of one that is refused
 * for its document type.
 */
function salvageHeader(raw: Buffer, issues: readonly Issue[]): ScriptHeader {
  if (issues.some(({ code }) => code !== 'structure')) return headerOf(undefined);
  const start = raw.toString('latin1', 0, HEADER_MAX);
  const root = /<((?:[A-Za-z_][\w.-]*:)?Message)[\s>]/.exec(start)?.[1];
  const end = /<\/(?:[A-Za-z_][\w.-]*:)?Header\s*>/.exec(start);
  if (root === undefined || end === null) return headerOf(undefined);
  const whole = Buffer.concat([raw.subarray(0, end.index + end[0].length), Buffer.from(`</${root}>`)]);
  const document = readXml(whole).value;
  return headerOf(document?.name === 'Message' ? childOf(document, 'Header') : undefined);
}

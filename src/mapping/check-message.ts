/** Messages that are only checked, by the rules of their standard; nothing is translated. docs/gateway.md "Trying a translation" */
import { codeSystemUrl } from '../standards/fhir/canonical.ts';
import { type Issue, isError, issue } from '../standards/fhir/outcome.ts';
import { isBatch, splitBatch } from '../standards/hl7v2/batch.ts';
import { parseMessage } from '../standards/hl7v2/parse.ts';
import { findDifference } from '../standards/hl7v2/round-trip.ts';
import { checkStructure } from '../standards/script/check.ts';
import { checkIntake } from '../standards/script/intake.ts';
import { consequenceOf } from '../standards/script/intake-issue.ts';
import { readScript } from '../standards/script/read.ts';
import { readStrictly } from '../standards/telecom/read.ts';
import { type Converted, type ConvertRequest, foundAll, refused } from './converted.ts';
import type { Source } from './find-source.ts';
import { normaliseVersion } from './script/normalise-version.ts';

/** Says what it found; a message without a fault is said to be sound. */
export function checkMessage(request: ConvertRequest): Converted {
  const { source, content, at } = request;
  const read = CHECKS.get(source);
  if (!read) return refused([issue('not-supported', `A message of kind ${source} cannot be checked yet`)]);
  const issues = read(content, at);
  return foundAll(issues.length > 0 ? issues : [SOUND], issues);
}

const SOUND: Issue = { severity: 'information', code: 'informational', diagnostics: 'No fault was found' };

const CHECKS: ReadonlyMap<Source, (content: Buffer, at: number) => readonly Issue[]> = new Map<
  Source,
  (content: Buffer, at: number) => readonly Issue[]
>([
  ['hl7v2', checkHl7v2],
  ['script', checkScript],
  ['d0', (content, at) => readStrictly(content, at).issues],
]);

/** Also that the message, or each of a batch, is written again byte for byte. */
function checkHl7v2(content: Buffer): readonly Issue[] {
  if (isBatch(content)) {
    const { value, issues } = splitBatch(content);
    return [...issues, ...(value?.messages ?? []).flatMap((message) => checkHl7v2(Buffer.from(message)))];
  }
  const { value, issues } = parseMessage(content);
  if (value === undefined) return issues;
  const at = findDifference(value, content);
  if (at === undefined) return [...issues, WRITTEN_AGAIN];
  return [...issues, issue('invalid', `It is not written again as it came: byte ${at} differs`)];
}

const WRITTEN_AGAIN: Issue = {
  severity: 'information',
  code: 'informational',
  diagnostics: 'Parsed and written again it is the same, byte for byte',
};

/** Every finding with its rule, and last what the message is and the verdict. */
function checkScript(content: Buffer, at: number): readonly Issue[] {
  const { message, issues } = readScript(content);
  const faults = message ? [...issues, ...checkStructure(message)] : issues;
  const isInvalid = faults.some(isError);
  const found = message && !isInvalid ? checkIntake(normaliseVersion(message), { now: at }) : [];
  const consequence = (['reject', 'hold', 'warn'] as const).find((one) => found.some((i) => consequenceOf(i) === one));
  const verdict = isInvalid ? 'invalid' : (consequence ?? 'accept');
  const what = message ? `${message.kind} of ${message.version.readAs}` : 'no SCRIPT message';
  const said: Issue = {
    severity: 'information',
    code: 'informational',
    diagnostics: `${what}: ${verdict}`,
    details: { coding: [{ system: codeSystemUrl('script-verdict'), code: verdict }] },
  };
  return [...faults, ...found, said];
}

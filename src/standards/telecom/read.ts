/** A transmission read and judged: our own and a pharmacy's strictly, a payer's answer as far as it can be taken. */
import type { Issue } from '../fhir/outcome.ts';
import { checkTelecom } from './check.ts';
import type { Header } from './header.ts';
import type { TelecomMessage } from './message.ts';
import { parseTelecom } from './parse.ts';
import { asLenientTelecom, rejectCodeOf, telecomRuleOf } from './rule-issue.ts';

export interface JudgedTelecom {
  readonly message?: TelecomMessage;
  readonly header: Header;
  readonly issues: readonly Issue[];
}

/** At this instant (ms UTC) it is no later day anywhere: a claim of a later one is post-dated. */
const LATEST_OFFSET_MS = 14 * 3_600_000;
const latestDay = (at: number): string =>
  new Date(at + LATEST_OFFSET_MS).toISOString().slice(0, 10).replaceAll('-', '');

/** Every fault by the strict rules. */
export function readStrictly(content: Buffer, at: number): JudgedTelecom {
  const { message, header, issues } = parseTelecom(content);
  if (!message) return { header, issues };
  return { message, header, issues: [...issues, ...checkTelecom(message, { today: latestDay(at) })] };
}

/** A payer's figures win where they do not add up: what only a strict reader refuses is a warning in an answer. */
export function readTelecom(content: Buffer, at: number): JudgedTelecom {
  const read = readStrictly(content, at);
  return read.message?.side === 'response' ? { ...read, issues: asLenientTelecom(read.issues) } : read;
}

export interface TelecomVerdict {
  readonly verdict: 'valid' | 'invalid';
  readonly kind?: string;
  readonly findings: readonly {
    readonly severity: string;
    readonly rule?: string;
    readonly reject?: string;
    readonly place?: string;
    readonly text?: string;
  }[];
}

/** The strict verdict with the ids of the rules, for people and programs. */
export function verdictOf(content: Buffer, at: number): TelecomVerdict {
  const { message, issues } = readStrictly(content, at);
  const isFault = ({ severity }: Issue): boolean => severity === 'error' || severity === 'fatal';
  return {
    verdict: issues.some(isFault) ? 'invalid' : 'valid',
    ...(message && { kind: `${message.header['A3']} ${message.side}` }),
    findings: issues.map((one) => {
      const [rule, reject, place] = [telecomRuleOf(one), rejectCodeOf(one), one.expression?.[0]];
      return {
        severity: one.severity,
        ...(rule !== undefined && { rule }),
        ...(reject !== undefined && { reject }),
        ...(place !== undefined && { place }),
        ...(one.diagnostics !== undefined && { text: one.diagnostics }),
      };
    }),
  };
}

import { expect } from 'chai';
import { normaliseVersion } from '../../../src/mapping/script/normalise-version.ts';
import { type Issue, isError } from '../../../src/standards/fhir/outcome.ts';
import { checkStructure } from '../../../src/standards/script/check.ts';
import { checkIntake, type Product } from '../../../src/standards/script/intake.ts';
import { consequenceOf } from '../../../src/standards/script/intake-issue.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { ruleOf } from '../../../src/standards/script/rule-issue.ts';
import { publishedSamples, SAMPLES_NEEDED } from './samples.ts';

/** The samples were written for the spring of 2026. */
const NOW = Date.parse('2026-04-20T12:00:00Z');

/** A drug directory as the index means it: one product it knows as Schedule II, one it does not know. */
const PRODUCTS: ReadonlyMap<string, Product | undefined> = new Map<string, Product | undefined>([
  ['00406055201', { schedule: 'CII', isActive: true }],
  ['99999999999', undefined],
]);
const findProduct = (ndc: string): Product | undefined => (PRODUCTS.has(ndc) ? PRODUCTS.get(ndc) : { isActive: true });

type Outcome = 'accept' | 'warn' | 'hold' | 'reject' | 'invalid';

/** What differs from `accept` without any rule: outcome and rules, as the index states them. */
const EXPECTED: ReadonlyMap<string, readonly [outcome: Outcome, rules: string]> = new Map(
  (
    [
      ['newrx-peds-observation', 'warn', 'V-SIG-1'],
      ['rxchangeresponse-approvedwithchanges', 'warn', 'V-SIG-1'],
      ['bad-missing-lastname', 'invalid', 'required'],
      ['bad-missing-sig', 'invalid', 'required'],
      ['bad-missing-dob', 'invalid', 'required'],
      ['bad-missing-quantity', 'invalid', 'required'],
      ['bad-element-order', 'invalid', 'order'],
      ['bad-gender', 'invalid', 'code'],
      ['bad-sigtext-1001', 'invalid', 'length'],
      ['bad-drugdescription-106', 'invalid', 'length'],
      ['bad-quantity-nonnumeric', 'invalid', 'format'],
      ['bad-refills-100', 'invalid', 'length'],
      ['bad-five-coverages', 'invalid', 'surplus'],
      ['bad-two-transactions', 'invalid', 'transaction'],
      ['bad-missing-messageid', 'invalid', 'required'],
      ['bad-missing-sentime', 'invalid', 'required'],
      ['bad-unknown-transaction', 'invalid', 'transaction'],
      ['bad-written-in-future', 'reject', 'V-DEM-1'],
      ['bad-npi-checkdigit', 'reject', 'V-NPI-1'],
      ['bad-npi-9digits', 'reject', 'V-NPI-1'],
      ['bad-cii-refills', 'reject', 'V-CS-2'],
      ['bad-cs-no-dea', 'reject', 'V-DEA-1'],
      ['bad-cs-dea-checkdigit', 'reject', 'V-DEA-1'],
      ['bad-cs-dea-lastname', 'warn', 'V-DEA-2'],
      ['bad-cs-no-signature', 'reject', 'V-CS-4'],
      ['bad-civ-6refills', 'reject', 'V-CS-2'],
      ['bad-schedule-mismatch', 'reject', 'V-CS-1'],
      ['bad-ndc-10digits', 'reject', 'V-NDC-1'],
      ['bad-ndc-unknown', 'hold', 'V-NDC-2'],
      ['bad-sig-nonsense', 'hold', 'V-SIG-1'],
      ['bad-sig-quantity-mismatch', 'warn', 'V-SIG-1'],
      ['bad-zero-quantity', 'reject', 'V-REQ-1'],
      ['bad-dob-future', 'reject', 'V-DEM-1 V-DEM-2'],
      ['bad-xxe', 'invalid', 'security'],
      ['bad-billion-laughs', 'invalid', 'security'],
      ['bad-doctype-only', 'invalid', 'security'],
      ['bad-truncated', 'invalid', 'structure'],
      ['bad-trailing-data', 'invalid', 'structure'],
      ['bad-mismatched-tag', 'invalid', 'structure'],
      ['bad-control-char', 'invalid', 'structure'],
      ['bad-invalid-utf8', 'invalid', 'structure'],
      ['edge-messageid-reused', 'warn', 'V-SIG-1'],
      ['edge-unsupported-version', 'accept', 'version'],
      ['edge-response-two-outcomes', 'invalid', 'choice'],
      ['cosyte-newrx-basic', 'invalid', 'attribute order required text unknown'],
      ['cosyte-newrx-edge-empties', 'invalid', 'attribute choice empty required unknown'],
      ['cosyte-newrx-no-version', 'invalid', 'attribute required version'],
      ['cosyte-newrx-sig-text-only', 'invalid', 'attribute required unknown'],
      ['cosyte-newrx-variant-shapes', 'invalid', 'attribute choice required text unknown'],
      ['cosyte-cancelrx-request', 'invalid', 'attribute required text unknown'],
      ['cosyte-cancelrx-response-denied', 'invalid', 'attribute required unknown'],
      ['cosyte-rxchange-request', 'invalid', 'attribute required text unknown'],
      ['cosyte-rxchange-response-denied', 'invalid', 'attribute required unknown'],
      ['cosyte-rxrenewal-response-approved', 'invalid', 'attribute required unknown'],
      ['cosyte-rxrenewal-response-ambiguous', 'invalid', 'attribute choice required unknown'],
      ['cosyte-status-response', 'invalid', 'attribute required unknown'],
      ['cosyte-error-response', 'invalid', 'attribute required unknown'],
      ['cosyte-verify-response', 'invalid', 'attribute required unknown'],
      ['cosyte-legacy-version', 'invalid', 'attribute required unknown version'],
      ['cosyte-unsupported-transaction', 'invalid', 'attribute required unknown'],
      ['clinicapi-newrx', 'reject', 'V-DEM-1 V-NPI-1 V-REQ-1 attribute format version'],
    ] as const
  ).map(([id, outcome, rules]) => [id, [outcome, rules]]),
);

interface Judged {
  readonly kind: string;
  readonly outcome: Outcome;
  readonly rules: string;
}

function judge(raw: Buffer): Judged {
  const { message, issues } = readScript(raw);
  const faults = [...issues, ...(message ? checkStructure(message) : [])];
  const isInvalid = faults.some(isError);
  const found = message && !isInvalid ? checkIntake(normaliseVersion(message), { now: NOW, findProduct }) : [];
  const consequence = (['reject', 'hold', 'warn'] as const).find((one) => found.some((i) => consequenceOf(i) === one));
  const ruleIn = (one: Issue): string => ruleOf(one) ?? one.code;
  return {
    kind: message?.kind ?? '–',
    outcome: isInvalid ? 'invalid' : (consequence ?? 'accept'),
    rules: [...new Set([...faults, ...found].map(ruleIn))].toSorted().join(' '),
  };
}

describe('standards › script › verdicts of the published samples', () => {
  const samples = publishedSamples();
  if (samples === undefined) {
    it(SAMPLES_NEEDED);
    return;
  }
  const table: string[] = [];
  for (const { id, raw, structural } of samples)
    it(`${id}: ${(EXPECTED.get(id) ?? ['accept', ''])[0]}`, () => {
      const { kind, outcome, rules } = judge(raw);
      table.push([id.padEnd(38), kind.padEnd(24), outcome.padEnd(8), rules].join(' ').trimEnd());
      if (structural === 'valid' || structural === 'invalid')
        expect(outcome === 'invalid' ? 'invalid' : 'valid').equal(structural);
      expect([outcome, rules]).eql(EXPECTED.get(id) ?? ['accept', '']);
    });
  it('every verdict that is expected is of a sample', () => {
    const ids = new Set(samples.map(({ id }) => id));
    expect([...EXPECTED.keys()].filter((id) => !ids.has(id))).eql([]);
  });
  after(() => {
    if (process.env['CI'] !== undefined || process.env['TEST_SIZE'] === 'ci')
      process.stdout.write(`${table.join('\n')}\n`);
  });
});

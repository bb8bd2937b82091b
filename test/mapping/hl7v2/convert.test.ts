/** `convert` takes every kind that is mapped to FHIR, and back those that are written. */
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { convert } from '../../../src/mapping/convert.ts';
import type { ConvertRequest } from '../../../src/mapping/converted.ts';
import { isSupportedEvent } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import { isWrittenKind } from '../../../src/mapping/hl7v2/outbound/map-from-fhir.ts';
import { kindOf } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { fixture } from '../../standards/hl7v2/samples.ts';

const FIXTURES = new URL('../../../fixtures/hl7v2/', import.meta.url);
const REQUEST = {
  at: Date.UTC(2026, 2, 2, 10, 20),
  timeZone: 'Europe/London',
  epsToAsid: '',
  newId: () => '00000000-0000-4000-8000-000000000000',
};
const ask = (request: Pick<ConvertRequest, 'content' | 'source' | 'to'>, event?: string): string | undefined =>
  convert({ ...REQUEST, headers: event === undefined ? {} : { 'hl7v2-event': event }, ...request }).value?.text;

describe('hl7v2 › convert', () => {
  const kinds = new Map<string, Buffer>();
  for (const name of readdirSync(FIXTURES).filter((file) => /^own-.*\.hl7$/.test(file))) {
    const bytes = fixture(name.slice(0, -4));
    const message = parseMessage(bytes).value;
    if (message !== undefined && isSupportedEvent(kindOf(message)) && !kinds.has(kindOf(message)))
      kinds.set(kindOf(message), bytes);
  }
  for (const [kind, content] of kinds) {
    it(`${kind} → FHIR`, () => expect(ask({ content, source: 'hl7v2', to: 'fhir' })).contain('"transaction"'));
    // Moves of visits, accounts and numbers: FHIR does not say whose they were.
    if (!isWrittenKind(kind)) continue;
    it(`FHIR → ${kind}`, () => {
      const bundle = ask({ content, source: 'hl7v2', to: 'fhir' }) ?? '';
      const written = ask({ content: Buffer.from(bundle), source: 'fhir', to: 'hl7v2' }, kind);
      expect(written?.split('\r')[0]).contain(`|${kind}^`);
      expect(ask({ content: Buffer.from(written ?? ''), source: 'hl7v2', to: 'fhir' })).contain('"transaction"');
    });
  }
});

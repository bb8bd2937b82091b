import { expect } from 'chai';
import { mapToFhir } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';

const CONTEXT = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };

interface Mapped {
  readonly resource: (type: string) => Record<string, unknown>;
  readonly places: readonly (string | undefined)[];
}

function map(event: string, eventTime: string, address: string, admitted: string, discharged: string): Mapped {
  const { value: message } = parseMessage(
    Buffer.from(
      `MSH|^~\\&|PAS|RXX|MORTAR|HERE|20260302101500||ADT^${event}|R-1|P|2.5.1\rEVN||${eventTime}\r` +
        `PID|1||1^^^RXX^MR||DOE^Ann||19840517|F|||${address}\r` +
        `PV1|1|I|W1^^^RXX${'|'.repeat(16)}V1^^^RXX^VN${'|'.repeat(25)}${admitted}|${discharged}\r`,
    ),
  );
  if (message === undefined) throw new Error('the message cannot be read');
  const { value, issues } = mapToFhir(message, CONTEXT);
  const resource = (type: string): Record<string, unknown> => {
    const found = value?.entry.find((entry) => entry.resource.resourceType === type);
    if (found === undefined) throw new Error(`no ${type}`);
    return found.resource;
  };
  const warned = issues.filter(({ severity }) => severity === 'warning');
  return { resource, places: warned.map(({ expression }) => expression?.[0]) };
}

// per-1: what ends before it begins is no Period, and no reason to refuse the message.
describe('hl7v2 › periods that end before they begin', () => {
  it('an address keeps its beginning, and the place is told', () => {
    const { resource, places } = map('A31', '20260302', '1 LANE^^LEEDS^^LS1 4AP^GBR^H^^^^^^20260301^20250301', '', '');
    expect(resource('Patient')['address']).nested.property('[0].period').eql({ start: '2026-03-01' });
    expect(places).eql(['PID-11.14']);
  });

  it('a visit keeps its beginning, and ends when the event was', () => {
    const { resource, places } = map('A03', '20260302', '', '20260302093000', '20260302083000');
    expect(resource('Encounter')['period']).eql({ start: '2026-03-02T09:30:00Z', end: '2026-03-02' });
    expect(places).eql(['PV1-45']);
  });

  it('a visit that ended by an event before its beginning has no end', () => {
    const { resource } = map('A03', '20260301', '', '20260302093000', '');
    expect(resource('Encounter')['period']).eql({ start: '2026-03-02T09:30:00Z' });
  });

  it('a whole day ends after each of its hours', () => {
    const { resource, places } = map('A03', '20260302', '', '20260302093000', '20260302');
    expect(resource('Encounter')['period']).eql({ start: '2026-03-02T09:30:00Z', end: '2026-03-02' });
    expect(places).eql([]);
  });
});

import { expect } from 'chai';
import { createCursors } from '../../src/postgres/search/cursor.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';

const HOUR = 60 * 60 * 1000;

describe('paging links', () => {
  let at = 1_000_000;
  const cursors = createCursors(new Uint8Array(32).fill(7), () => at);
  const refused = (scope: string, text: string): void => {
    expect(() => cursors.parse(scope, text))
      .to.throw(FhirError)
      .with.property('status', 400);
  };

  it('carry a position there and back', () => {
    const position = { keys: ['a', null], rid: '-5', byDate: true, start: 3 };
    expect(cursors.parse('Patient?name=x', cursors.format('Patient?name=x', position))).to.deep.equal(position);
  });

  it('[IN-35] are refused when altered, cut, made up or taken to another query', () => {
    const text = cursors.format('Patient?name=x', { rid: '1' });
    refused('Patient?name=y', text);
    refused('Patient?name=x', text.slice(0, -1));
    refused('Patient?name=x', `x${text}`);
    // Every other last character, also those that stand for the same bytes in base64.
    for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
      if (!text.endsWith(c)) refused('Patient?name=x', text.slice(0, -1) + c);
    refused('Patient?name=x', 'nonsense');
    refused('Patient?name=x', '');
    refused('Patient?name=x', '.');
  });

  it('end after an hour', () => {
    const text = cursors.format('Patient', {});
    at += HOUR;
    expect(cursors.parse('Patient', text)).to.deep.equal({});
    at += 1;
    refused('Patient', text);
  });
});

/** Files of messages. HL7 v2.5.1 section 2.10.3 */
import { expect } from 'chai';
import { splitBatch } from '../../../src/standards/hl7v2/batch.ts';
import { readEncoding } from '../../../src/standards/hl7v2/encoding.ts';
import { formatBatch } from '../../../src/standards/hl7v2/format-batch.ts';

const HEADER = {
  sendingApplication: 'MORTAR',
  sendingFacility: 'R&X',
  receivingApplication: 'GPSYS',
  receivingFacility: 'A83008',
  at: Date.UTC(2026, 2, 2, 10, 15),
  name: 'one.hl7',
  id: 'B1',
};

describe('hl7v2 › format batch', () => {
  const messages = [
    'MSH|^~\\&|A|B|C|D|20260302||ADT^A31|1|P|2.4\rPID|1||1\r',
    // Delimiters and a character set of its own, and no CR at the end.
    'MSH#*~\\&#A#B#C#D#20260302##ADT*A31#2#P#2.4######8859/1\rPID#1##2##M\u00fcller',
  ].map((text) => Buffer.from(text, 'latin1'));

  it('FHS and BHS name the parties, time, name and number; BTS and FTS count', () => {
    const lines = formatBatch(HEADER, messages).toString('latin1').split('\r');
    const head = '|^~\\&|MORTAR|R\\T\\X|GPSYS|A83008|20260302101500+0000||one.hl7||B1';
    expect([lines[0], lines[1], ...lines.slice(-3)]).eql([`FHS${head}`, `BHS${head}`, 'BTS|2', 'FTS|1', '']);
    expect(readEncoding(lines[1] as string, 'utf8').issues).eql([]);
  });

  it('each message is in it as it is', () => {
    const { value, issues } = splitBatch(formatBatch(HEADER, messages));
    expect(issues).eql([]);
    const text = (one: Buffer): string => one.toString('latin1').replace(/\r$/, '');
    expect(value?.messages.map(text)).eql(messages.map(text));
  });

  it('without messages it is a batch of none', () => {
    expect(splitBatch(formatBatch(HEADER, []))).deep.include({ issues: [] });
    expect(formatBatch(HEADER, []).toString()).contain('\rBTS|0\rFTS|1\r');
  });
});

import { expect } from 'chai';
import type { Issue } from '../../../src/standards/fhir/outcome.ts';
import {
  type Acknowledgement,
  ERROR_CODE_SYSTEM,
  formatAcknowledgement,
  formatUnreadableAcknowledgement,
} from '../../../src/standards/hl7v2/acknowledgement.ts';
import type { Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { fixture, header, messageOf } from './samples.ts';

const answer = (code: Acknowledgement['code'], ...issues: Issue[]): Acknowledgement => ({
  code,
  issues,
  at: Date.UTC(2026, 2, 2, 10, 15, 0),
  controlId: '0b7a1d5e-1111-4222-8333-123456789abc',
});
const error = (code: Issue['code'], expression?: string, severity: Issue['severity'] = 'error'): Issue => ({
  severity,
  code,
  diagnostics: 'what is wrong',
  ...(expression !== undefined && { expression: [expression] }),
});
const linesOf = (bytes: Buffer): string[] => bytes.toString().split('\r');
function readBack(bytes: Buffer): Message {
  const { value, issues } = parseMessage(bytes);
  expect(issues).eql([]);
  return value as Message;
}

describe('hl7v2 › acknowledgement', () => {
  it('swaps the parties, names the message, and is in its version', () => {
    expect(linesOf(formatAcknowledgement(messageOf(header('ADT^A01^ADT_A01')), answer('AA')))).eql([
      'MSH|^~\\&|GATEWAY|RXX01|PAS|RXX|20260302101500+0000||ACK^A01^ACK|42228333123456789abc|P|2.4',
      'MSA|AA|MSG-1',
      '',
    ]);
  });

  for (const [version, type, id] of [
    ['2.2', 'ACK', 20],
    ['2.3.1', 'ACK^A01', 20],
    ['2.4', 'ACK^A01^ACK', 20],
    ['2.6', 'ACK^A01^ACK', 20],
    ['2.8', 'ACK^A01^ACK', 36],
  ] as const)
    it(`version ${version}: ${type}, control id of ${id} characters`, () => {
      const ack = readBack(formatAcknowledgement(messageOf(header('ADT^A01', version)), answer('AA')));
      expect(ack.header.field(9).raw).equal(type);
      expect(ack.value('MSH-10').length).equal(id);
      expect(ack.value('MSH-12')).equal(version);
    });

  it('in the delimiters of the sender, even odd ones', () => {
    const { value } = parseMessage(fixture('awk-custom-delims'));
    const text = formatAcknowledgement(value as Message, answer('AE', error('required', 'PID-3'))).toString();
    expect(text).match(/^MSH#\*!\?%#GATEWAY#RXX01#PAS#RXX#/);
    expect(readBack(Buffer.from(text)).value('ERR-3.1')).equal('101');
  });

  it('MSA-2 is MSH-10 as it came', () => {
    const message = messageOf('MSH|^~\\&|PAS|RXX|||2026||ADT^A01|x\\T\\ y^z|P|2.5');
    expect(linesOf(formatAcknowledgement(message, answer('AA')))[1]).equal('MSA|AA|x\\T\\ y^z');
  });

  it('ERR from version 2.5 on', () => {
    const ack = formatAcknowledgement(
      messageOf(header('ADT^A01', '2.5.1')),
      answer('AE', error('value', 'PID-3.4.2[2]'), error('required', 'NK1[2]-5'), error('structure', 'PID')),
    );
    expect(linesOf(ack).slice(1, -1)).eql([
      'MSA|AE|MSG-1|what is wrong',
      'ERR||PID^1^3^2^4^2|102^Data type error^HL70357|E|||what is wrong|what is wrong',
      'ERR||NK1^2^5|101^Required field missing^HL70357|E|||what is wrong|what is wrong',
      'ERR||PID|100^Segment sequence error^HL70357|E|||what is wrong|what is wrong',
    ]);
  });

  it('ERR and MSA-6 before version 2.5', () => {
    const ack = formatAcknowledgement(messageOf(header('ADT^A01', '2.3')), answer('AE', error('required', 'PID-3')));
    expect(linesOf(ack).slice(1, -1)).eql([
      'MSA|AE|MSG-1|what is wrong|||101^Required field missing^HL70357',
      'ERR|PID^1^3^101&Required field missing&HL70357',
    ]);
  });

  for (const [code, number] of [
    ['structure', '100'],
    ['required', '101'],
    ['value', '102'],
    ['invalid', '102'],
    ['code-invalid', '103'],
    ['too-long', '104'],
    ['not-supported', '201'],
    ['not-found', '204'],
    ['multiple-matches', '204'],
    ['duplicate', '205'],
    ['conflict', '206'],
    ['lock-error', '206'],
    ['exception', '207'],
    ['transient', '207'],
  ] as const)
    it(`table 0357 › ${code} is ${number}`, () => {
      const ack = readBack(formatAcknowledgement(messageOf(header('ADT^A01', '2.5')), answer('AE', error(code))));
      expect(ack.value('ERR-3')).equal(number);
    });

  it('table 0357 › an issue may bring its own number; warnings are 0', () => {
    const coded: Issue = {
      ...error('not-supported'),
      details: { coding: [{ system: ERROR_CODE_SYSTEM, code: '203' }] },
    };
    const ack = readBack(
      formatAcknowledgement(
        messageOf(header('ADT^A01', '2.5')),
        answer('AR', error('value', 'PID-7', 'warning'), coded),
      ),
    );
    expect(ack.all('ERR').map((s) => [s.value(3), s.value(4)])).eql([
      ['203', 'E'],
      ['0', 'W'],
    ]);
  });

  it('has no more than 50 ERR segments, the errors first', () => {
    const issues = [...Array.from({ length: 60 }, () => error('value', undefined, 'warning')), error('required')];
    const ack = readBack(formatAcknowledgement(messageOf(header('ADT^A01', '2.5')), answer('AE', ...issues)));
    expect(ack.all('ERR').length).equal(50);
    expect(ack.value('ERR-3')).equal('101');
  });

  for (const [name, text, id] of [
    ['nothing', '', ''],
    ['no HL7', 'GET / HTTP/1.1', ''],
    ['bad encoding characters', 'MSH|^^^^|PAS|RXX|||2026||ADT^A01|M-7|P|2.4\r', 'M-7'],
    ['bad field separator', 'MSHAxyzAM-7\r', ''],
    ['cut off', 'MSH|^~\\&|PAS', ''],
    ['too long, of which the head is here', `${header('ADT^A01')}\rPID|1||${'9'.repeat(9999)}`, 'MSG-1'],
    ['delimiters where they cannot be', 'MSH|^^|a^b|c|||2026||ADT|x~y|P', ''],
  ])
    it(`of unreadable bytes › ${name}`, () => {
      const ack = readBack(
        formatUnreadableAcknowledgement(Buffer.from(text as string), answer('AR', error('structure', 'MSH'))),
      );
      expect(ack.value('MSA-1')).equal('AR');
      expect(ack.value('MSA-2')).equal(id);
      expect(ack.value('ERR-3')).equal('100');
      expect(ack.value('ERR-2')).equal('MSH');
    });
});

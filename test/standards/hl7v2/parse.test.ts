import { expect } from 'chai';
import { encodeText } from '../../../src/standards/hl7v2/character-set.ts';
import { formatMessage, withValue } from '../../../src/standards/hl7v2/format.ts';
import { kindOf, type Message, versionOf } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { parsePlace } from '../../../src/standards/hl7v2/place.ts';
import { fixture, header, messageOf, NEEDS_SAMPLES, publishedFolder, publishedMessages } from './samples.ts';

const read = (name: string): Message => {
  const { value, issues } = parseMessage(fixture(name));
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return value;
};
const textOfSegments = ({ prologue, segments }: Message): string =>
  prologue + segments.map(({ text, terminator }) => text + terminator).join('');

describe('hl7v2 › parse', () => {
  it('numbers fields as the standard does, MSH too', () => {
    const message = messageOf(header('ADT^A01^ADT_A01'), 'PID|1||1^^^RXX^MR~2^^^A&1.2&ISO||O\\T\\NEIL&O^ANN');
    expect(message.value('MSH-1')).equal('|');
    expect(message.value('MSH-2')).equal('^~\\&');
    expect(message.value('MSH.10')).equal('MSG-1');
    expect(message.value('PID.3.1')).equal('1');
    expect(message.value('PID-3[2].4.2')).equal('1.2');
    expect(message.value('PID-3.4.3[2]')).equal('ISO');
    expect(message.value('PID-5')).equal('O&NEIL');
    expect(message.value('PID-5.1.2')).equal('O');
    expect(kindOf(message)).equal('ADT^A01');
    expect(versionOf(message)).equal(240);
  });

  it('reads deeper than was sent as empty, shallower as the first leaf', () => {
    const message = messageOf(header('ADT^A01'), 'PID|1||A&1.2&ISO^x');
    expect(message.value('PID-3')).equal('A');
    expect(message.value('PID-3.2.4')).equal('');
    expect(message.value('PID-99.3.2[7]')).equal('');
    expect(message.value('ZZZ-1')).equal('');
    expect(message.at('PID')).equal(undefined);
  });

  it('tells empty, null and text apart', () => {
    const pid = messageOf(header('ADT^A31'), 'PID|""||""^""|x^""|""a""|"" ""||""~""').find('PID');
    const nulls = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => pid?.field(n).isNull);
    expect(nulls).eql([true, false, true, false, false, false, false, true]);
    expect([2, 7, 9].map((n) => pid?.field(n).isEmpty)).eql([true, true, true]);
    expect(pid?.field(4).at(1).at(2).isNull).equal(true);
    expect(pid?.value(5)).equal('""a""');
    expect(pid?.value(1)).equal('');
  });

  it('takes the delimiters of this message, and only these', () => {
    const message = read('awk-custom-delims');
    expect(message.value('PID-5.1')).equal('O%NEIL');
    expect(message.value('PID-5.2')).equal('MARY|ANN');
    expect(message.value('PID-11.1')).equal('1 HIGH ST # FLAT 2');
    expect(message.value('PID-3.4.2')).equal('1.2.3');
  });

  for (const [name, head, place] of [
    ['repeated', 'MSH|^~^&|a', 'MSH-2'],
    ['alphanumeric', 'MSH|^~x&|a', 'MSH-2'],
    ['the field separator itself', 'MSH||~\\&|a', 'MSH-2'],
    ['one alone', 'MSH|~|a', 'MSH-2'],
    ['too many', 'MSH|^~\\&#!|a', 'MSH-2'],
    ['a letter as field separator', 'MSHx^~\\&xa', 'MSH-1'],
  ] as const)
    it(`refuses encoding characters: ${name}`, () => {
      const { value, issues } = parseMessage(Buffer.from(`${head}\r`));
      expect(value).equal(undefined);
      expect(issues[0]?.expression).eql([place]);
    });

  it('two encoding characters: no escaping, no subcomponents', () => {
    const message = messageOf('MSH|^~|PAS', 'PID|1||a&b\\T\\c^d');
    expect(message.value('PID-3.1')).equal('a&b\\T\\c');
    expect(message.value('PID-3.2')).equal('d');
  });

  for (const [name, text, diagnostics] of [
    ['LF', `${header('ADT^A08')}\nPID|1||7\n`, 'Segments end in LF or CR LF instead of CR'],
    ['CR LF', `${header('ADT^A08')}\r\nPID|1||7\r\n`, 'Segments end in LF or CR LF instead of CR'],
    ['blank lines', `${header('ADT^A08')}\r\r  \rPID|1||7\r`, 'Blank lines between segments were passed over'],
    ['lower case', `${header('ADT^A08')}\rpid|1||7\r`, 'Segment names in lower case were read as upper case'],
    ['white space first', `\r\n ${header('ADT^A08')}\rPID|1||7\r`, 'White space before MSH was passed over'],
    ['no name', `${header('ADT^A08')}\r??\rPID|1||7`, 'A line does not begin with the name of a segment'],
  ] as const)
    it(`tolerates and tells › ${name}`, () => {
      const { value, issues } = parseMessage(Buffer.from(text));
      expect(value?.value('PID-3')).equal('7');
      expect(issues.map((i) => [i.severity, i.diagnostics]).some(([, d]) => d?.startsWith(diagnostics))).equal(true);
      expect(issues.every((i) => i.severity === 'warning')).equal(true);
      expect(value && textOfSegments(value)).equal(text);
    });

  it('a byte order mark is no fault, and the bytes stay', () => {
    const bytes = Buffer.from(`\uFEFF${header('ADT^A08')}\r`);
    const { value, issues } = parseMessage(bytes);
    expect(issues).eql([]);
    expect(value && formatMessage(value).equals(bytes)).equal(true);
  });

  it('Z segments and unknown ones stay where they are', () => {
    const message = messageOf(header('ADT^A08'), 'ZU1|1^2', 'PID|1', 'XYZ|q', 'ZZZ|');
    expect(message.segments.map(({ id }) => id)).eql(['MSH', 'ZU1', 'PID', 'XYZ', 'ZZZ']);
    expect(message.value('ZU1-1.2')).equal('2');
  });

  for (const [text, why] of [
    ['', 'nothing'],
    ['  \r\n', 'white space'],
    ['hello', 'no MSH'],
    ['MSH', 'MSH alone'],
    ['FHS|^~\\&|a\r', 'a batch'],
  ])
    it(`refuses ${why}`, () => {
      const { value, issues } = parseMessage(Buffer.from(text as string));
      expect(value).equal(undefined);
      expect(issues[0]?.severity).equal('error');
    });

  it('has limits', () => {
    const many = Buffer.from(`${header('ADT^A08')}\r${'OBX|1\r'.repeat(20)}`);
    expect(parseMessage(many, { bytes: 1e6, segments: 21 }).value?.segments.length).equal(21);
    expect(parseMessage(many, { bytes: 1e6, segments: 20 }).issues[0]?.code).equal('too-long');
    expect(parseMessage(many, { bytes: 20, segments: 99 }).issues[0]?.code).equal('too-long');
    const message = messageOf(
      header('ADT^A08'),
      `PID|1||${'1~'.repeat(20_000)}|${'^'.repeat(5000)}|${'|'.repeat(30_000)}`,
    );
    const pid = message.find('PID');
    expect(pid?.field(3).repetitions.length).equal(10_000);
    expect(pid?.field(3).isCut).equal(true);
    expect(pid?.field(4).at(1).parts.length).equal(1000);
    expect(pid?.fieldCount).equal(10_000);
  });
});

describe('hl7v2 › character sets', () => {
  const withName = (set: string, name: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${header('ADT^A08')}||||||${set}\rPID|1||1||`), name, Buffer.from('^X\r')]);

  for (const [set, bytes, expected] of [
    ['UNICODE UTF-8', Buffer.from('ŁUKASZ'), 'ŁUKASZ'],
    ['UNICODE', Buffer.from('ŁUKASZ'), 'ŁUKASZ'],
    ['8859/1', Buffer.of(0x4a, 0xd6, 0x52, 0x47), 'JÖRG'],
    ['8859/1', Buffer.of(0x80), '€'],
    ['8859/2', Buffer.of(0xa3), 'Ł'],
    ['8859/15', Buffer.of(0xa4), '€'],
    ['', Buffer.from('JÖRG'), 'JÖRG'],
    ['', Buffer.of(0x4a, 0xd6, 0x52, 0x47), 'JÖRG'],
    ['ASCII', Buffer.from('JÖRG'), 'JÖRG'],
    ['GB 18030-2000', encodeText('张', 'gb18030'), '张'],
    ['KS X 1001', encodeText('김', 'euc-kr'), '김'],
    ['BIG-5', encodeText('張', 'big5'), '張'],
    ['~ISO IR87', Buffer.from([0x1b, 0x24, 0x42, 0x3b, 0x33, 0x45, 0x44, 0x1b, 0x28, 0x42]), '山田'],
  ] as const)
    it(`${set || 'none declared'} ${bytes.toString('hex')} → ${expected}`, () => {
      const raw = withName(set, bytes);
      const { value } = parseMessage(raw);
      expect(value?.value('PID-5.1')).equal(expected);
      expect(value?.value('PID-5.2')).equal('X');
      expect(value && formatMessage(value).equals(raw)).equal(true);
    });

  it('bytes that are not UTF-8 are replaced, and told', () => {
    const { value, issues } = parseMessage(withName('UNICODE UTF-8', Buffer.of(0xc3, 0x28)));
    expect(value?.value('PID-5.1')).equal('\uFFFD(');
    expect(issues.map((i) => i.expression)).eql([['MSH-18']]);
  });

  it('an unknown set is told', () => {
    expect(parseMessage(withName('KLINGON', Buffer.from('q'))).issues.map((i) => i.code)).eql(['not-supported']);
  });
});

describe('hl7v2 › change', () => {
  it('changes one leaf and no other byte', () => {
    const text = `${header('ADT^A08')}\nPID|1||7~8^x||A^B\nZZ1|keep\\unknown\n`;
    const { value } = parseMessage(Buffer.from(text));
    const place = parsePlace('PID-3.4.2[2]');
    const changed = value && place && withValue(value, place, 'a|b');
    expect(changed && formatMessage(changed).toString()).equal(text.replace('8^x', '8^x^^&a\\F\\b'));
    expect(changed?.value('PID-3.4.2[2]')).equal('a|b');
    const emptied = changed && withValue(changed, { segment: 'PID', field: 5 }, null);
    expect(emptied?.at('PID-5')?.isNull).equal(true);
  });

  it('leaves the delimiters alone', () => {
    const message = messageOf(header('ADT^A08'));
    expect(withValue(message, { segment: 'MSH', field: 2 }, 'x')).equal(undefined);
    expect(withValue(message, { segment: 'PID', field: 2 }, 'x')).equal(undefined);
    expect(withValue(message, { segment: 'MSH', field: 10 }, 'x')?.value('MSH-10')).equal('x');
  });
});

describe('hl7v2 › parse › published messages', () => {
  if (publishedFolder === undefined) it(NEEDS_SAMPLES);
  for (const { name, bytes } of publishedMessages())
    it(`${name} goes in and comes out the same`, () => {
      const { value, issues } = parseMessage(bytes);
      expect(value !== undefined || issues.some((i) => i.severity === 'error')).equal(true);
      if (value === undefined) return;
      expect(formatMessage(value).equals(bytes)).equal(true);
      for (const segment of value.segments)
        for (let n = 1; n <= segment.fieldCount; n++)
          for (const repetition of segment.field(n).repetitions)
            for (const component of repetition.parts)
              for (const leaf of component.parts) expect(leaf.value).a('string');
      if (!/invalid-utf8|iso2022/.test(name))
        expect(encodeText(textOfSegments(value), value.encoding.charset).equals(bytes)).equal(true);
    });
});

import { renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { ClockFileError, createClock, type FileClock } from '../src/clock.ts';
import { createMemoryLog, silentLog } from './support/log.ts';
import { makeTempFolder } from './support/temp-folder.ts';

describe('clock', () => {
  const folder = makeTempFolder();
  const START = Date.parse('2026-03-01T09:00:00Z');
  let file: string;
  let elapsed = 0;
  let clock: FileClock | undefined;
  let count = 0;
  const log = createMemoryLog();
  const open = (text = '2026-03-01T09:00:00Z\n'): FileClock => {
    count += 1;
    file = join(folder, `clock-${count}`);
    writeFileSync(file, text);
    clock = createClock({ file, log, elapsed: () => elapsed });
    return clock;
  };
  afterEach(() => clock?.stop());

  it('runs on from the instant of the file', () => {
    const { now } = open();
    expect(now()).equal(START);
    elapsed += 90_000.7;
    expect(now()).equal(START + 90_000);
  });

  for (const text of [
    '2026-03-01T09:00Z',
    '2026-03-01T10:00:00+01:00',
    '2026-03-01T09:00:00.000Z',
    ' 2026-03-01T09:00:00Z ',
  ])
    it(`reads ${text}`, () => {
      expect(open(text).now()).equal(START);
    });

  it('takes a new instant at the latest a second later, and runs on from there', () => {
    const { now } = open();
    clock?.stop(); // as where the system tells of no changes
    writeFileSync(file, '2030-01-01T00:00:00Z');
    elapsed += 1_000;
    expect(now()).equal(Date.parse('2030-01-01T00:00:00Z'));
    elapsed += 500;
    expect(now()).equal(Date.parse('2030-01-01T00:00:00.500Z'));
  });

  for (const [what, write] of [
    ['written', (text: string) => writeFileSync(file, text)],
    [
      'replaced',
      (text: string) => {
        writeFileSync(`${file}.new`, text);
        renameSync(`${file}.new`, file);
      },
    ],
  ] as const)
    it(`takes it at once when the file is ${what} and the system tells`, async () => {
      const { now } = open();
      await sleep(20);
      write('2020-01-01T00:00:00Z');
      const deadline = performance.now() + 5_000;
      while (now() !== Date.parse('2020-01-01T00:00:00Z') && performance.now() < deadline) await sleep(5);
      expect(now()).equal(Date.parse('2020-01-01T00:00:00Z'));
    });

  it('does not look at the file more than once a second', () => {
    const { now } = open();
    clock?.stop();
    writeFileSync(file, '2030-01-01T00:00:00Z');
    elapsed += 999;
    expect(now()).equal(START + 999);
  });

  it('runs on when the file is broken or gone, with one warning', () => {
    const { now } = open();
    clock?.stop();
    const warnings = (): number => log.lines.filter(({ level }) => level === 'warn').length;
    const before = warnings();
    writeFileSync(file, 'tomorrow');
    for (let i = 0; i < 3; i++) {
      elapsed += 1_000;
      now();
    }
    expect(now()).equal(START + 3_000);
    expect(warnings()).equal(before + 1);
    rmSync(file);
    elapsed += 1_000;
    expect(now()).equal(START + 4_000);
    expect(warnings()).equal(before + 2);
    writeFileSync(file, '2030-01-01T00:00:00Z');
    utimesSync(file, 1, 1);
    elapsed += 1_000;
    expect(now()).equal(Date.parse('2030-01-01T00:00:00Z'));
  });

  for (const text of ['', 'now', '2026-03-01', '2026-03-01T09:00:00', '2026-13-01T09:00:00Z', `${'x'.repeat(1_000)}`])
    it(`refuses to start with ${JSON.stringify(text.slice(0, 30))}`, () => {
      expect(() => open(text)).throw(ClockFileError, 'does not hold a time');
    });

  it('refuses to start without the file', () => {
    const missing = join(folder, 'none');
    expect(() => createClock({ file: missing, log: silentLog })).throw(ClockFileError, 'ENOENT');
  });
});

import { Writable } from 'node:stream';
import { expect } from 'chai';
import { createLog, type LogLevel } from '../src/log.ts';

interface Line extends Record<string, unknown> {
  readonly level: string;
  readonly message: string;
}

function capture(level: LogLevel = 'debug') {
  const texts: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      texts.push(String(chunk));
      done();
    },
  });
  return {
    log: createLog({ level, stream }),
    text: () => texts.join(''),
    lines: () => texts.map((text) => JSON.parse(text) as Line),
  };
}

const MARKER = 'Zx9Marker';
/** Values made from MARKER, so that one search of the output finds any of them. */
const marked = (n: number): string => `${MARKER}${n}`;

const HIDDEN_KEYS = (
  'authorization Authorization AUTHORIZATION proxy-authorization cookie set-cookie password oldPassword passwd ' +
  'clientSecret client_secret secret access_token refreshToken idToken token apiKey api_key x-api-key privateKey ' +
  'credentials client_assertion body rawBody2 resource name names given family birthDate address telecom nhsNumber ' +
  'nhs_number identifier query queryString params parameters values content text patient patientName payload detail ' +
  'where internalQuery row rows sql dosage note phone email postalCode postcode display narrative div segments raw xml'
)
  .split(' ')
  .filter((key) => key !== 'rawBody2');

describe('log', () => {
  it('writes one JSON object a line with time, level, message and fields', () => {
    const { log, lines } = capture();
    log.info('listening', { port: 8080, at: new Date(0), big: 12n });
    expect(lines()).length(1);
    expect(lines()[0]).include({ level: 'info', message: 'listening', port: 8080, big: '12' });
    expect(lines()[0]?.['at']).equal('1970-01-01T00:00:00.000Z');
    expect(lines()[0]?.['time']).match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = capture('warn');
    for (const level of ['error', 'warn', 'info', 'debug'] as const) log[level](level);
    expect(lines().map((line) => line.level)).deep.equal(['error', 'warn']);
  });

  it('carries the correlation id of its ancestors', () => {
    const { log, lines } = capture();
    log.child({ correlationId: 'c-1' }).child({ job: 'j-2' }).warn('late', { attempt: 3 });
    expect(lines()[0]).include({ correlationId: 'c-1', job: 'j-2', attempt: 3 });
  });

  it('never lets a field take the place of level, time or message', () => {
    const { log, lines } = capture();
    log.info('real', { level: 'debug', message: 'false', time: 'never' });
    expect(lines()[0]).include({ level: 'info', message: 'real', message_: 'false' });
  });

  it('logs causes with their stacks', () => {
    const { log, lines } = capture();
    log.error('failed', { error: new Error('outer', { cause: new TypeError('inner') }) });
    const error = lines()[0]?.['error'] as { message: string; stack: string[]; cause: { type: string } };
    expect(error.message).equal('outer');
    expect(error.stack[0]).match(/^at .*log\.test\.ts/);
    expect(error.cause).include({ type: 'TypeError', message: 'inner' });
  });

  it('DP-06 › 500 planted markers are nowhere in the output', () => {
    const { log, text } = capture();
    let planted = 0;
    const plant = (): string => {
      planted += 1;
      return marked(planted);
    };
    for (const key of HIDDEN_KEYS) {
      log.info('flat', { [key]: plant() });
      log.info('nested', { request2: { deeper: [{ [key]: plant() }] } });
      log.info('object', { [key]: { any: plant(), list: [plant()] } });
      log.child({ [key]: plant() }).info('context');
      log.info('map', { map: new Map([[key, plant()]]) });
    }
    for (let i = 0; i < 20; i += 1) {
      log.info(`GET /fhir/R4/Patient?name=${plant()}`);
      log.info('url', { url: `https://user:${plant()}@example.org/fhir/Patient?family=${plant()}` });
      log.info('database', { target: `postgresql://mortar:${plant()}@localhost/mortar` });
      log.info('header', { header: `Bearer ${plant()}` });
      log.info('bytes', { chunk: Buffer.from(plant()) });
      log.error('postgres', { error: postgresError(plant) });
      log.error('json', { error: jsonError(`{"family": ${plant()}}`) });
      log.error('wrapped', { error: new Error('reading', { cause: postgresError(plant) }) });
      log.error('several', { error: new AggregateError([jsonError(plant())], 'all failed') });
    }
    expect(planted).greaterThan(500);
    expect(text()).not.contains(MARKER);
  });

  it('DP-06 › hides NHS numbers and tokens in free text, and leaves other numbers', () => {
    const { log, text } = capture();
    log.info('merged 9434765919 and 943 476 5919', {
      note2: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln',
      count: 1234567890,
    });
    log.info('took 1234567890 ns');
    expect(text()).not.contains('9434765919').and.not.contains('943 476 5919').and.not.contains('eyJhbGci');
    expect(text()).contains('took 1234567890 ns').contains('"count":1234567890');
  });

  it('survives what cannot be written: cycles, great depth, long lists and texts', () => {
    const { log, lines } = capture();
    const cycle: Record<string, unknown> = { id: 1 };
    cycle['self'] = cycle;
    log.info('odd', { cycle, list: Array.from({ length: 1000 }, () => 1), long: 'x'.repeat(100_000), f: () => 1 });
    expect(JSON.stringify(lines()[0]).length).lessThan(5_000);
  });
});

/** As node-postgres throws it. */
function postgresError(plant: () => string): Error {
  return Object.assign(new Error(`invalid input syntax for type integer: "${plant()}"`), {
    code: '22P02',
    severity: 'ERROR',
    detail: `Key (family)=(${plant()}) already exists.`,
    where: `unnamed portal parameter $1 = '${plant()}'`,
    internalQuery: `select '${plant()}'`,
    parameters: [plant()],
  });
}

function jsonError(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

/** What every dialect promises its senders, over the wire and into the store. docs/gateway.md, SECURITY RL-11 … RL-16 */
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { fixture } from '../support/fixtures.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer, testLog } from '../support/server.ts';
import { stopChecked, storeState } from '../support/store-state.ts';

interface Message {
  readonly id: string;
  readonly controlId: string;
  readonly dialect: string;
  readonly kind: string;
  readonly state: string;
  readonly error?: string;
  readonly resources: readonly string[];
  readonly relation?: { kind: string; firstId: string };
  readonly issues?: readonly { diagnostics: string; expression?: string[] }[];
  readonly raw?: { text: string };
  readonly answer?: { text: string };
  readonly parsed?: unknown;
  readonly fhir?: Json;
  readonly attempts: number;
}

/** One dialect, as a sender knows it. */
interface World {
  readonly dialect: string;
  readonly kind: string;
  /** The identifier system and value of its partner's Endpoint; absent where none is needed. */
  readonly partner?: readonly [system: string, value: string];
  /** Message `n` of sender `sender`: its own control id, patient and prescription. */
  make(n: string, sender?: string): Buffer;
  /** The same control id, another content. */
  change(message: Buffer): Buffer;
  /** A message whose content is at fault, and the same one mended. */
  readonly broken: (n: string) => { bad: Buffer; mended: Buffer };
  /** Bytes that are no message at all. */
  readonly garbage: Buffer;
  send(server: TestServer, message: Buffer): Promise<Buffer>;
  /** The acknowledgement in our words. */
  verdict(answer: Buffer): 'applied' | 'rejected' | 'refused' | 'conflict' | 'unavailable';
  /** A search that finds what message `n` brought. */
  search(n: string): string;
}

const text = (message: Buffer, ...changes: readonly (readonly [string | RegExp, string])[]): Buffer =>
  Buffer.from(changes.reduce((all, [from, to]) => all.replace(from, to), message.toString()));

/** NHS numbers of the test range, with their check digit. */
function nhsNumber(n: number): string {
  for (let k = n; ; k += 1000) {
    const nine = `999${String(100_000 + k).slice(-6)}`;
    const sum = [...nine].reduce((all, digit, i) => all + Number(digit) * (10 - i), 0);
    const check = (11 - (sum % 11)) % 11;
    if (check < 10) return nine + String(check);
  }
}

const numberOf = (n: string): number => [...n].reduce((all, c) => (all * 31 + c.charCodeAt(0)) % 997, 7);

const HL7V2: World = {
  dialect: 'hl7v2',
  kind: 'RDE^O11',
  partner: ['https://mortar-fhir.org/NamingSystem/hl7v2-sender', 'EPMA|RXX'],
  make: (n, sender = 'EPMA|RXX') =>
    text(
      fixture('hl7v2/own-rde-o11-taper.hl7'),
      ['OWN-RDE-1', `C-${n}`],
      ['EPMA|RXX', sender],
      [/RX-5003/g, `RX-${n}`],
      [/RXF-9003/g, `RXF-${n}`],
      ['9990000018', nhsNumber(numberOf(n))],
      ['RXX1000001', `MRN-${n}`],
      ['V2026030201', `V-${n}`],
    ),
  change: (message) => text(message, ['|60|', '|61|']),
  broken: (n) => {
    const mended = HL7V2.make(n);
    return { bad: text(mended, [/\rPID\|[^\r]*/, '']), mended };
  },
  garbage: Buffer.from('PID|1||not a message'),
  async send(server, message) {
    const sender = await openMllpSender(server.mllpPort as number);
    try {
      return await sender.send(message);
    } finally {
      sender.close();
    }
  },
  verdict(answer) {
    const code = fieldOf(answer, 'MSA-1');
    const error = fieldOf(answer, 'ERR-3').split('^')[0];
    if (code === 'AA') return 'applied';
    if (code === 'AE') return error === '205' ? 'conflict' : 'rejected';
    return /send it again later/.test(answer.toString()) ? 'unavailable' : 'refused';
  },
  search: (n) => `MedicationRequest?identifier=RX-${n}`,
};

const SCRIPT: World = {
  dialect: 'script',
  kind: 'NewRx',
  partner: ['https://mortar-fhir.org/NamingSystem/script-sender', 'D:6301875277001'],
  make: (n, sender = '6301875277001') =>
    text(
      fixture('script/newrx-basic.xml'),
      ['OWN0001A7F3C9D1', `M-${n}`],
      ['RX-2026-000101', `ORDER-${n}`],
      ['MRN-100234', `MRN-${n}`],
      ['6301875277001', sender],
    ),
  change: (message) => text(message, ['<DaysSupply>30<', '<DaysSupply>31<']),
  broken: (n) => {
    const mended = SCRIPT.make(n);
    return { bad: text(mended, ['<Gender>F</Gender>', '<Gender>X</Gender>']), mended };
  },
  garbage: Buffer.from('<Message><Header>'),
  async send(server, message) {
    const reply = await fetch(`${server.url}/ncpdp/script`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/xml' },
      body: new Uint8Array(message),
    });
    return Buffer.from(await reply.arrayBuffer());
  },
  verdict(answer) {
    const xml = answer.toString();
    if (/<Status><Code>010</.test(xml)) return 'applied';
    if (/<Code>602</.test(xml)) return 'unavailable';
    if (/<DescriptionCode>220</.test(xml)) return 'conflict';
    return /<DescriptionCode>001</.test(xml) ? 'refused' : 'rejected';
  },
  search: (n) => `MedicationRequest?identifier=ORDER-${n}`,
};

const uuid = (n: string, k: number): string =>
  `00000000-0000-4000-8000-${String(k).padStart(4, '0')}${Buffer.from(n.padEnd(4, '.').slice(-4)).toString('hex')}`;

const FHIR: World = {
  dialect: 'fhir',
  kind: 'prescription-order',
  make: (n) =>
    Buffer.from(
      JSON.stringify({
        resourceType: 'Bundle',
        identifier: { system: 'https://tools.ietf.org/html/rfc4122', value: `B-${n}` },
        type: 'message',
        entry: [
          {
            fullUrl: `urn:uuid:${uuid(n, 1)}`,
            resource: {
              resourceType: 'MessageHeader',
              id: uuid(n, 1),
              eventCoding: { system: 'https://fhir.nhs.uk/CodeSystem/message-event', code: 'prescription-order' },
              source: { endpoint: 'https://gp.example/eps' },
            },
          },
          {
            fullUrl: `urn:uuid:${uuid(n, 2)}`,
            resource: {
              resourceType: 'MedicationRequest',
              id: uuid(n, 2),
              identifier: [{ system: 'urn:item', value: `ITEM-${n}` }],
              status: 'active',
              intent: 'order',
              medicationCodeableConcept: { text: 'Paracetamol 500mg tablets' },
              subject: { display: 'somebody' },
            },
          },
        ],
      }),
    ),
  change: (message) => text(message, ['500mg', '250mg']),
  broken: (n) => {
    const mended = FHIR.make(n);
    return { bad: text(mended, ['"intent":"order",', '']), mended };
  },
  garbage: Buffer.from('{"resourceType":'),
  async send(server, message) {
    const reply = await fetch(`${server.fhirBaseUrl}/$process-message`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/fhir+json' },
      body: new Uint8Array(message),
    });
    return Buffer.from(await reply.arrayBuffer());
  },
  verdict(answer) {
    const { resourceType, issue = [] } = JSON.parse(answer.toString()) as Json & { issue?: { code: string }[] };
    if (resourceType === 'Bundle') return 'applied';
    if (issue[0]?.code === 'transient' || issue[0]?.code === 'exception') return 'unavailable';
    return issue[0]?.code === 'conflict' ? 'conflict' : 'rejected';
  },
  search: (n) => `MedicationRequest?identifier=ITEM-${n}`,
};

for (const world of [HL7V2, SCRIPT, FHIR])
  describe(`gateway › ${world.dialect}`, function () {
    this.timeout(180_000);
    let server: TestServer;
    let fhir: FhirClient;
    before(async () => {
      const quiet = { ...testLog(), error: () => {} };
      server = await startTestServer({ log: quiet });
      fhir = createFhirClient(server);
      if (world.partner) await register(...world.partner);
    });
    after(() => stopChecked(server));

    const register = async (system: string, value: string): Promise<void> => {
      const reply = await fhir.post('Endpoint', {
        resourceType: 'Endpoint',
        identifier: [{ system, value }],
        status: 'active',
        connectionType: { code: 'hl7v2-mllp' },
        payloadType: [{ text: 'messages' }],
        address: 'urn:inbound',
      });
      expect(reply.status, reply.text).equal(201);
    };
    const api = async (path: string, init?: RequestInit): Promise<Response> =>
      fetch(`${server.url}/gateway/${path}`, { headers: server.bearer, ...init, signal: AbortSignal.timeout(10_000) });
    const list = async (query = ''): Promise<Message[]> => {
      const reply = await api(`messages?dialect=${world.dialect}&_count=500${query}`);
      return ((await reply.json()) as { messages: Message[] }).messages;
    };
    const show = async (id: string): Promise<Message> => (await api(`messages/${id}`)).json() as Promise<Message>;
    const newest = async (): Promise<Message> => show(((await list()) as [Message])[0].id);
    const found = async (n: string): Promise<number> => (await fhir.get(world.search(n))).json()['total'] as number;

    it('[RL-11] [RL-14] applies a message, then answers; the log has it from every side', async () => {
      const message = world.make('one');
      const answer = await world.send(server, message);
      expect(world.verdict(answer), answer.toString()).equal('applied');
      expect(await found('one')).equal(1);
      const logged = await newest();
      expect(logged).deep.include({ dialect: world.dialect, kind: world.kind, state: 'applied' });
      expect(logged.raw?.text).equal(message.toString());
      expect(logged.answer?.text).equal(answer.toString());
      expect(logged.resources.length).greaterThan(0);
      for (const version of logged.resources) expect((await fhir.get(version)).status, version).equal(200);
      expect(logged.resources.some((version) => version.startsWith('MedicationRequest/'))).equal(true);
      if (world.dialect !== 'fhir') {
        expect(logged.parsed).not.equal(undefined);
        expect(logged.fhir).deep.include({ resourceType: 'Bundle', type: 'transaction' });
      }
      if (world.dialect !== 'fhir') {
        const metrics = await (await fetch(`${server.url}/metrics`)).text();
        expect(metrics).contain(`mortar_message_seconds_count{dialect="${world.dialect}",verdict="applied"} 1`);
      }
      const raw = await api(`messages/${logged.id}/raw`);
      expect(Buffer.from(await raw.arrayBuffer()).equals(message)).equal(true);
    });

    it('[RL-12] answers a duplicate as the first time, and applies it once', async () => {
      const message = world.make('twice');
      const first = await world.send(server, message);
      expect(world.verdict(first), first.toString()).equal('applied');
      const before = await storeState(server);
      const second = await world.send(server, message);
      expect(second.toString()).equal(first.toString());
      expect(await storeState(server)).equal(before);
    });

    if (world.dialect === 'hl7v2')
      it('the same content under a new control id makes no new version', async () => {
        const admit = text(fixture('hl7v2/own-uk-a01.hl7'), ['PAS|RXX', 'EPMA|RXX']);
        for (const [n, made] of [
          ['N1', true],
          ['N2', false],
        ] as const) {
          const answer = await world.send(server, text(admit, ['OWN-A01-1', n]));
          expect(world.verdict(answer), answer.toString()).equal('applied');
          expect((await newest()).resources.length > 0, n).equal(made);
        }
      });

    it('[RL-12] of many that come at once one is applied, and all get its answer', async () => {
      const message = world.make('many');
      const answers = await Promise.all(Array.from({ length: 20 }, () => world.send(server, message)));
      expect(new Set(answers.map(String)).size).equal(1);
      expect(world.verdict(answers[0] as Buffer), String(answers[0])).equal('applied');
      expect(await found('many')).equal(1);
      const [request] = (await fhir.get(world.search('many'))).json()['entry'] as { resource: Json }[];
      expect(request?.resource['meta']).deep.include({ versionId: '1' });
    });

    if (world.dialect === 'fhir')
      it('takes a message that was rejected once it comes mended under the same id, and answers it again as then', async () => {
        const { bad, mended } = world.broken('mend');
        expect(world.verdict(await world.send(server, bad))).equal('rejected');
        const answer = await world.send(server, mended);
        expect(world.verdict(answer), answer.toString()).equal('applied');
        expect((await world.send(server, mended)).toString()).equal(answer.toString());
        expect(await newest()).deep.include({ state: 'applied' });
        expect((await newest()).relation).property('kind', 'correction');
      });

    it('[RL-12] refuses the same control id with other content, and says so in the log', async () => {
      const message = world.make('same');
      await world.send(server, message);
      const before = await storeState(server);
      const answer = await world.send(server, world.change(message));
      expect(world.verdict(answer), answer.toString()).equal('conflict');
      expect(await storeState(server)).equal(before);
      const logged = await newest();
      expect(logged.state).equal('rejected');
      expect(logged.relation?.kind).equal('conflict');
      const first = await show(logged.relation?.firstId as string);
      expect(first.state).equal('applied');
      expect(world.verdict(await world.send(server, world.change(message))), 'again').equal('conflict');
      expect((await list()).filter((m) => m.relation?.firstId === first.id)).length(1);
    });

    if (world.partner)
      it('[RL-16] replays neither a conflicting message nor one that was corrected', async () => {
        const message = world.make('clash');
        await world.send(server, message);
        await world.send(server, world.change(message));
        const clash = await newest();
        const { bad, mended } = world.broken('amended');
        await world.send(server, bad);
        const amended = await newest();
        await api(`messages/${amended.id}/replay`, { method: 'POST', body: new Uint8Array(mended) });
        const before = await storeState(server);
        for (const { id } of [clash, amended])
          expect((await api(`messages/${id}/replay`, { method: 'POST' })).status).equal(400);
        await api(`messages/replay?state=rejected&dialect=${world.dialect}`, { method: 'POST' });
        for (let tries = 0; tries < 100; tries++) {
          const { jobs } = (await (await api('jobs?state=ready')).json()) as { jobs: unknown[] };
          if (jobs.length === 0) break;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        await new Promise((resolve) => setTimeout(resolve, 300));
        for (const { id } of [clash, amended]) expect(await show(id)).property('state', 'rejected');
        expect(await found('clash')).equal(1);
        expect(before).a('string');
      });

    if (world.dialect === 'hl7v2')
      it('a doctor who is named by two numbers here and one there is one doctor', async () => {
        const doctors = (n: string, attending: string, referring: string): Buffer =>
          text(world.make(n), [/C9999990\^OKAFOR\^DANIEL\^\^\^MR\^\^\^GMC\|\|\|300/, `${attending}|${referring}||300`]);
        const both = 'C7654321^OAK^ANN^^^DR^^^GMC~LOC77^OAK^ANN^^^DR^^^RXX';
        for (const [n, attending, referring] of [
          ['d1', both, 'LOC77^OAK^ANN^^^DR^^^RXX'],
          ['d2', 'C7654321^OAK^ANN^^^DR^^^GMC', 'LOC77^OAK^ANN^^^DR^^^RXX'],
        ] as const) {
          const answer = await world.send(server, doctors(n, attending, referring));
          expect(world.verdict(answer), answer.toString()).equal('applied');
        }
        expect((await fhir.get('Practitioner?family=oak')).json()['total']).equal(1);
      });

    it('[RL-14] refuses content at fault, applies nothing of it, and names the place', async () => {
      const before = await storeState(server);
      const answer = await world.send(server, world.broken('bad').bad);
      expect(world.verdict(answer), answer.toString()).equal('rejected');
      expect(await storeState(server)).equal(before);
      const logged = await newest();
      expect(logged).property('state', 'rejected');
      expect(logged.error).a('string');
      expect(logged.issues?.[0]?.expression?.[0], JSON.stringify(logged.issues)).a('string');
    });

    if (world.partner)
      it('refuses an order number that stands for another patient’s order', async () => {
        expect(world.verdict(await world.send(server, world.make('mine')))).equal('applied');
        const [before] = (await fhir.get(world.search('mine'))).json()['entry'] as [Json];
        const theirs = world
          .make('theirs')
          .toString()
          .replace(/RX-theirs|ORDER-theirs/g, (n) => n.replace('theirs', 'mine'));
        const answer = await world.send(server, Buffer.from(theirs));
        expect(world.verdict(answer), answer.toString()).equal('rejected');
        expect(answer.toString()).match(/another patient/i);
        expect(((await fhir.get(world.search('mine'))).json()['entry'] as Json[])[0]).deep.equal(before);
      });

    it('refuses bytes that are no message, logs them, and goes on', async () => {
      const before = await storeState(server);
      const answer = await world.send(server, world.garbage);
      expect(['rejected', 'refused']).include(world.verdict(answer));
      expect(await storeState(server)).equal(before);
      const logged = await newest();
      expect(logged).deep.include({ state: 'rejected', kind: 'unknown' });
      expect(logged.raw?.text).equal(world.garbage.toString());
      expect(world.verdict(await world.send(server, world.make('after-garbage')))).equal('applied');
    });

    if (world.partner) {
      it('refuses an unknown partner, and takes the same message once it is known', async () => {
        const [system, own] = world.partner as readonly [string, string];
        const [sender, identifier] = world.dialect === 'hl7v2' ? ['NEW|RYY', 'NEW|RYY'] : ['777', 'D:777'];
        expect(identifier).not.equal(own);
        const message = world.make('stranger', sender);
        const answer = await world.send(server, message);
        expect(world.verdict(answer), answer.toString()).equal('refused');
        expect(await newest()).deep.include({ state: 'rejected' });
        expect(await found('stranger')).equal(0);
        await register(system, identifier);
        await new Promise((resolve) => setTimeout(resolve, 1100)); // what is known of partners is remembered for a second
        expect(world.verdict(await world.send(server, message))).equal('applied');
        expect(await found('stranger')).equal(1);
      });

      it('[RL-16] replays a rejected message with its bytes corrected, safe to press twice', async () => {
        const { bad, mended } = world.broken('mend');
        expect(world.verdict(await world.send(server, bad))).equal('rejected');
        const { id } = await newest();
        for (const time of ['first', 'second']) {
          const reply = await api(`messages/${id}/replay`, { method: 'POST', body: new Uint8Array(mended) });
          expect(reply.status, time).equal(200);
          const replayed = (await reply.json()) as { id: string; verdict: string; answer: { text: string } };
          expect(world.verdict(Buffer.from(replayed.answer.text)), replayed.answer.text).equal('applied');
          expect(replayed.id).not.equal(id);
          expect(await show(replayed.id)).deep.include({
            state: 'applied',
            relation: { kind: 'correction', firstId: id },
          });
        }
        expect(await found('mend')).equal(1);
        expect(await show(id)).property('state', 'rejected');
      });

      it('[RL-16] replays many, in the background', async () => {
        const [system] = world.partner as readonly [string, string];
        const [sender, identifier] = world.dialect === 'hl7v2' ? ['LATE|RWW', 'LATE|RWW'] : ['888', 'D:888'];
        const names = ['r1', 'r2', 'r3', 'r4', 'r5'];
        for (const n of names) expect(world.verdict(await world.send(server, world.make(n, sender)))).equal('refused');
        await register(system, identifier);
        await new Promise((resolve) => setTimeout(resolve, 1100));
        const query = `state=rejected&sender=${encodeURIComponent(identifier)}`;
        for (const time of ['first', 'second']) {
          const reply = await api(`messages/replay?${query}`, { method: 'POST' });
          expect(reply.status, time).equal(202);
        }
        for (
          let tries = 0;
          tries < 200 && (await list(`&state=rejected&sender=${encodeURIComponent(identifier)}`)).length > 0;
          tries++
        )
          await new Promise((resolve) => setTimeout(resolve, 50));
        for (const n of names) expect(await found(n), n).equal(1);
      });
    }

    it('[RL-14] says "later" while the database is away, and applies the message when it comes again', async () => {
      const message = world.make('away');
      await server.database.stopSessions();
      try {
        expect(world.verdict(await world.send(server, message))).equal('unavailable');
      } finally {
        await server.database.allowSessions();
      }
      let verdict = '';
      for (let tries = 0; tries < 50 && verdict !== 'applied'; tries++) {
        verdict = world.verdict(await world.send(server, message));
        if (verdict !== 'applied') await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(verdict).equal('applied');
      expect(await found('away')).equal(1);
    });
  });

describe('gateway › the log over HTTP', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.stop());
  const at = async (path: string, method = 'GET'): Promise<{ status: number; body: string }> => {
    const reply = await fetch(`${server.url}${path}`, { method, headers: server.bearer });
    return { status: reply.status, body: await reply.text() };
  };

  const WRONG: readonly [string, string, string, number, string][] = [
    ['an unknown filter', 'GET', '/gateway/messages?stat=dead', 400, 'did you mean state'],
    ['an unknown state', 'GET', '/gateway/messages?state=gone', 400, 'acknowledged'],
    ['a direction that is none', 'GET', '/gateway/messages?direction=up', 400, 'in or out'],
    ['an instant that is none', 'GET', '/gateway/messages?since=yesterday', 400, 'offset'],
    ['a page size of 0', 'GET', '/gateway/messages?_count=0', 400, '_count'],
    ['a cursor that is none', 'GET', '/gateway/messages?cursor=zzz', 400, 'begin again'],
    ['a message that is not there', 'GET', '/gateway/messages/00000000-0000-4000-8000-000000000000', 404, 'not found'],
    ['an id that is none', 'GET', "/gateway/messages/'or'1", 404, 'not found'],
    ['a replay of all', 'POST', '/gateway/messages/replay', 400, 'state=dead'],
    ['a replay of what was applied', 'POST', '/gateway/messages/replay?state=applied', 400, 'state=dead'],
    ['another method', 'DELETE', '/gateway/messages', 405, 'use GET'],
    ['another path', 'GET', '/gateway/nothing', 404, 'not found'],
    ['jobs of a state that is none', 'GET', '/gateway/jobs?state=gone', 400, 'dead'],
  ];
  for (const [title, method, path, status, words] of WRONG)
    it(`refuses ${title}`, async () => {
      const reply = await at(path, method);
      expect(reply.status, reply.body).equal(status);
      expect(reply.body).contain(words).contain('OperationOutcome');
    });

  it('is empty at first', async () => {
    expect(JSON.parse((await at('/gateway')).body)).deep.equal({ messages: [], deadJobs: 0 });
    expect(JSON.parse((await at('/gateway/messages')).body)).deep.equal({ messages: [] });
    expect(JSON.parse((await at('/gateway/jobs')).body)).deep.equal({ jobs: [] });
    expect(JSON.parse((await at('/gateway/jobs/replay?kind=message-process', 'POST')).body)).deep.equal({ queued: 0 });
  });
});

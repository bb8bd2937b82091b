/** What a client sends never makes the server call an address that it names. SECURITY IN-42 */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe('security › references to other servers [IN-42]', function () {
  this.timeout(180_000);
  let server: TestServer;
  let trap: Server;
  /** How often somebody connected. */
  let calls = 0;
  let elsewhere: string;

  before(async () => {
    // Of TCP: a call that never becomes a request counts too.
    trap = createServer((socket) => {
      calls += 1;
      socket.on('error', () => {});
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    elsewhere = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' } });
  });
  after(async () => {
    await server.stop();
    trap.close();
  });

  const ask = async (path: string, method = 'GET', body?: object): Promise<number> => {
    const answer = await fetch(
      path === '' || path.startsWith('?') ? server.fhirBaseUrl + path : `${server.fhirBaseUrl}/${path}`,
      {
        method,
        headers: { ...server.bearer, ...(body && { 'Content-Type': 'application/fhir+json' }) },
        ...(body && { body: JSON.stringify(body) }),
      },
    );
    await answer.arrayBuffer();
    return answer.status;
  };

  it('the trap hears who calls', async () => {
    await (await fetch(`${elsewhere}/Patient/1`)).text();
    expect(calls).equal(1);
    calls = 0;
  });

  it('[IN-42] stores them as data and never fetches them, whatever is asked', async () => {
    const patient = `${elsewhere}/Patient/1`;
    const observation = {
      resourceType: 'Observation',
      id: 'o1',
      meta: { profile: [`${elsewhere}/StructureDefinition/x`], source: `${elsewhere}/source` },
      implicitRules: `${elsewhere}/rules`,
      status: 'final',
      code: { coding: [{ system: `${elsewhere}/CodeSystem/x`, code: 'a' }] },
      subject: { reference: patient },
      performer: [{ reference: `${elsewhere}/Practitioner/1`, type: 'Practitioner' }],
      extension: [{ url: `${elsewhere}/extension`, valueUri: `${elsewhere}/value` }],
    };
    const document = {
      resourceType: 'DocumentReference',
      id: 'd1',
      status: 'current',
      subject: { reference: patient },
      content: [{ attachment: { contentType: 'text/plain', url: `${elsewhere}/Binary/1` } }],
    };
    const coded = {
      resourceType: 'ValueSet',
      id: 'v1',
      status: 'active',
      url: `${elsewhere}/ValueSet/v1`,
      compose: { include: [{ system: `${elsewhere}/CodeSystem/x`, valueSet: [`${elsewhere}/ValueSet/other`] }] },
    };
    const statuses = [
      await ask('Observation/o1', 'PUT', observation),
      await ask('DocumentReference/d1', 'PUT', document),
      await ask('ValueSet/v1', 'PUT', coded),
      await ask('', 'POST', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          {
            fullUrl: `${elsewhere}/Encounter/1`,
            resource: {
              resourceType: 'Encounter',
              status: 'finished',
              class: { code: 'AMB' },
              subject: { reference: patient },
              serviceProvider: { reference: `${elsewhere}/Organization/1` },
            },
            request: { method: 'POST', url: 'Encounter' },
          },
        ],
      }),
    ];
    expect(statuses).deep.equal([201, 201, 201, 200]);
    const quoted = encodeURIComponent(patient);
    for (const path of [
      'Observation/o1',
      'Observation/o1/_history',
      `Observation?subject=${quoted}&_include=Observation:subject&_include=Observation:performer`,
      'Observation?subject:Patient.family=x',
      `Observation?code=${encodeURIComponent(`${elsewhere}/CodeSystem/x|a`)}`,
      `Observation?code:in=${encodeURIComponent(`${elsewhere}/ValueSet/v1`)}`,
      `Encounter?service-provider=${encodeURIComponent(`${elsewhere}/Organization/1`)}&_include=*`,
      `DocumentReference?patient=${quoted}`,
      `_history?_since=2020-01-01`,
      `Observation/$validate?profile=${encodeURIComponent(`${elsewhere}/StructureDefinition/x`)}`,
      `ValueSet/v1/$expand`,
      `ValueSet/$expand?url=${encodeURIComponent(`${elsewhere}/ValueSet/v1`)}`,
    ])
      expect(await ask(path), path).lessThan(500);
    await ask('Observation/$validate', 'POST', observation);
    await ask('Patient', 'POST', { resourceType: 'Patient', generalPractitioner: [{ reference: `${elsewhere}/x` }] });
    expect(calls).equal(0);
  });

  it('[IN-42] nor when a message of HL7 v2 names them', async () => {
    const sender = await openMllpSender(server.mllpPort as number);
    const answer = await sender.send(
      `MSH|^~\\&|PAS|${elsewhere}|MORTAR|HERE|20260302101500||ADT^A31|URL-1|P|2.5.1\rEVN||20260302\r` +
        `PID|1||1^^^${elsewhere}&${elsewhere}&URI^MR||DOE^Ann||19840517|F|||||^NET^Internet^${elsewhere}\r`,
    );
    sender.close();
    expect(fieldOf(answer, 'MSA-1')).match(/^A[AER]$/);
    expect(calls).equal(0);
  });
});

/** The tour's English chapter: an order is prepared, signed and sent to the Spine. docs/eps.md */
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatSignature } from '../standards/xmldsig/sign.ts';
import { answer, chapter, excerpt, request, short, status } from './tour-print.ts';
import type { Server } from './tour-wire.ts';

/** For whom a program acts. */
const SESSION = { 'NHSD-Identity-UUID': '555254239107', 'NHSD-Session-URID': '555254240100' };

export async function walkEps(server: Server, order: string): Promise<void> {
  const { fhir, send } = server;
  chapter('England: a GP prescription order in FHIR, for the Electronic Prescription Service');
  request('POST /fhir/R4/$prepare', 'what the prescriber has to sign');
  const prepared = await send(`${fhir}/$prepare`, 'POST', order, 'application/fhir+json');
  const { parameter } = JSON.parse(prepared.text) as { parameter: Parameter[] };
  for (const { name, valueString } of parameter) if (name !== 'timestamp') answer(`${name}: ${short(valueString, 60)}`);
  request('POST /fhir/R4/$convert?_to=eps-v3', 'the HL7 V3 message that the Spine receives');
  const converted = await send(`${fhir}/$convert?_to=eps-v3`, 'POST', order, 'application/fhir+json');
  answer(
    ...excerpt(converted.text, [
      /<PORX_/,
      /<interactionId/,
      /<ParentPrescription/,
      /<manufacturedRequestedMaterial/,
      /displayName="[^"]*mg/,
    ]),
  );
  if (server.spineState === undefined) return toRecord(server, order);
  request('POST /fhir/R4/$process-message', 'the order, signed, on its way to the Spine over mutual TLS');
  const signed = signedOnce(server.dataDir, order, parameter);
  const sent = await send(`${fhir}/$process-message`, 'POST', signed, 'application/fhir+json', SESSION);
  answer(status(sent, 'the Spine has taken it'));
  request('GET /prescriptions/5B7E20-Z99911-8C41D9   of the local Spine', 'what it holds now');
  const state = await fetch(`http://127.0.0.1:${server.spineState}/prescriptions/5B7E20-Z99911-8C41D9`);
  answer(...excerpt(await state.text(), [/"nominated"/, /"status"/]));
}

/** Where no Spine is near, messages of EPS are only stored. */
async function toRecord({ fhir, send }: Server, order: string): Promise<void> {
  request('POST /fhir/R4/$process-message', 'the order itself');
  const stored = await send(`${fhir}/$process-message`, 'POST', order, 'application/fhir+json', SESSION);
  answer(status(stored, /"code":"ok"/.test(stored.text) ? 'stored, response code ok' : short(stored.text, 200)));
}

interface Parameter {
  readonly name: string;
  readonly valueString: string;
}

/** The order with the signature of the local Spine's prescriber; the same again on a second tour, which a gateway takes for the same. */
function signedOnce(dataDir: string, order: string, parameters: readonly Parameter[]): string {
  const file = join(dataDir, 'spine/tour-order.json');
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const keys = (name: string): string => readFileSync(join(dataDir, 'spine/certificates', name), 'utf8');
  const of = (name: string): string => parameters.find((one) => one.name === name)?.valueString ?? '';
  const signedInfo = Buffer.from(of('digest'), 'base64');
  const value = sign('sha256', signedInfo, keys('prescriber.key'));
  const data = formatSignature(signedInfo.toString(), value, new X509Certificate(keys('prescriber.crt')).raw);
  const who = JSON.parse(/"requester": (\{[^}]*\})/.exec(order)?.[1] ?? '{}') as unknown;
  const when = of('timestamp');
  const type = [{ system: 'urn:iso-astm:E1762-95:2013', code: '1.2.840.10065.1.12.1.1' }];
  const resource = {
    resourceType: 'Provenance',
    target: [{ reference: /"fullUrl": "([^"]+)"/.exec(order)?.[1] }],
    recorded: when,
    agent: [{ who }],
    signature: [{ type, when, who, data: Buffer.from(data).toString('base64') }],
  };
  const entry = JSON.stringify({ fullUrl: `urn:uuid:${randomUUID()}`, resource });
  // As text, so that numbers keep their digits.
  const signed = order.replace(/"entry": \[/, `"entry": [${entry},`);
  writeFileSync(file, signed, { mode: 0o600 });
  return signed;
}

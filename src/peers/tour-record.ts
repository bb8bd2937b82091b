/** The tour's last chapters: the message log, and the record that the messages made. docs/gateway.md */
import { answer, chapter, request, short } from './tour-print.ts';
import type { Server } from './tour-wire.ts';

/** What came, and what became of it. */
export async function showLog({ url, send }: Server): Promise<void> {
  chapter('The message log: what came, and what became of it');
  request('GET /gateway/messages?_count=20');
  const reply = await send(`${url}/gateway/messages?_count=20`, 'GET');
  const { messages } = JSON.parse(reply.text) as {
    messages: {
      dialect: string;
      kind: string;
      controlId?: string;
      state: string;
      resources: string[];
      error?: string;
    }[];
  };
  for (const m of messages.reverse())
    answer(
      `${m.dialect.padEnd(7)} ${m.kind.padEnd(19)} ${m.state.padEnd(12)} ${['applied', 'acknowledged'].includes(m.state) ? `${m.resources.length} resource${m.resources.length === 1 ? '' : 's'}` : short(m.error ?? '', 60)}`,
    );
}

/** The prescriptions of the tour, each found by its identifier. */
export async function showRecord(server: Server): Promise<void> {
  chapter('One record: the three prescriptions, found by FHIR searches');
  await search(server, 'identifier=526f662e-8fc0-5d93-806c-e165cd3b2d95');
  await search(server, 'identifier=RX-5003');
  await search(server, 'identifier=RX-2026-000101');
}

interface Found {
  readonly resourceType: string;
  readonly status?: string;
  readonly medicationCodeableConcept?: {
    readonly text?: string;
    readonly coding?: readonly { readonly display?: string }[];
  };
  readonly dosageInstruction?: readonly { readonly text?: string }[];
  readonly name?: readonly { readonly family?: string; readonly given?: readonly string[] }[];
}

async function search({ fhir, send }: Server, criteria: string): Promise<void> {
  const query = `MedicationRequest?${criteria}&_include=MedicationRequest:subject`;
  request(`GET /fhir/R4/${query}`);
  const reply = await send(`${fhir}/${query}`, 'GET');
  const { entry = [] } = JSON.parse(reply.text) as { entry?: { resource: Found }[] };
  for (const { resource } of entry) answer(`${resource.resourceType}: ${describe(resource)}`);
  if (entry.length === 0) answer('nothing found');
}

function describe({ status: state, name, medicationCodeableConcept: medication, dosageInstruction }: Found): string {
  const medicine = medication?.text ?? medication?.coding?.find((coding) => coding.display !== undefined)?.display;
  const person = name?.map(({ family = '', given = [] }) => [...given, family].join(' '))[0];
  return [medicine ?? person, state, dosageInstruction?.[0]?.text].filter((part) => part !== undefined).join(' · ');
}

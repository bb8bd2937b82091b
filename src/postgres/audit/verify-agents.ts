/** Whether those who acted are who they were when their entries were written. SECURITY AU-09 */
import type { Cipher } from '../../ports/cipher.ts';
import { agentContext, agentId } from './agents.ts';
import type { EntryRow } from './entry.ts';
import { detailContext } from './log.ts';
import type { Proof } from './proof.ts';
import { openSheet, SHEET } from './sheet.ts';

/** Whether all who acted in the events of an entry are what it says. */
export async function readKnownAgents(proof: Proof, cipher: Cipher): Promise<(entry: EntryRow) => boolean> {
  const agents = await readAgents(proof, cipher);
  return (entry) => agentsOf(entry, cipher).every((id) => agents.has(id));
}

/** Ids of the agents that are what entries say. */
async function readAgents({ run, macKeys }: Proof, cipher: Cipher): Promise<ReadonlySet<string>> {
  const rows = await run('select id, content, kind, name, user_id, fhir_user, client_id from audit.agent');
  const good = rows.filter(([id, content, ...columns]) => {
    const bytes = Buffer.from((id as string).replaceAll('-', ''), 'hex');
    try {
      const text = cipher.open(content as Buffer, agentContext(bytes)).toString();
      const { kind, name, user, clientId } = JSON.parse(text) as Record<string, Record<string, unknown> | undefined>; // ours
      const told = [kind, name, user?.['id'], user?.['fhirUser'], clientId].map((value) => value ?? null);
      return macKeys.some((key) => agentId(key, text).equals(bytes)) && told.every((value, i) => value === columns[i]);
    } catch {
      return false;
    }
  });
  return new Set(good.map(([id]) => (id as string).replaceAll('-', '')));
}

/** Who acted in the events of an entry, in hex; nobody anyone knows where a sheet does not open. */
function agentsOf(entry: EntryRow, cipher: Cipher): readonly string[] {
  if (entry.kind !== SHEET) return [entry.agent.toString('hex')];
  return openSheet(entry, cipher, detailContext)?.map(({ agent }) => agent.toString('hex')) ?? [''];
}

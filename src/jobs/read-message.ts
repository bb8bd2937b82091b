/** The message that a job is about. */
import type { Caller } from '../ports/caller.ts';
import type { MessageLog, StoredMessage } from '../ports/message-log.ts';
import { FhirError } from '../standards/fhir/outcome.ts';
import { PermanentJobError } from './runner.ts';

/** Throws `PermanentJobError` where the log has it no more. */
export async function readMessage(
  messages: Pick<MessageLog, 'read'>,
  caller: Caller,
  id: string,
): Promise<StoredMessage> {
  try {
    return await messages.read(caller, id);
  } catch (error) {
    if (error instanceof FhirError && error.status === 404) throw new PermanentJobError('the message is gone', error);
    throw error;
  }
}

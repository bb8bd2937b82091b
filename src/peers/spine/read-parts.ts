/** What several messages have in common: identifiers and people. */
import { missing, Refusal, refuse } from './errors.ts';
import { at, attribute, canonicalise, type Node, textOf } from './xml.ts';

export const SHORT_FORM = '2.16.840.1.113883.2.1.3.2.4.18.8';
export const ODS = '1.2.826.0.1285.0.1.10';
export const NHS_NUMBER = '2.16.840.1.113883.2.1.4.1';
export const UUID = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/i;

/** Who acts, as the messages of dispensers and cancellers name them. */
export interface Agent {
  readonly odsCode: string;
  readonly userId: string;
  readonly name: string;
  /** The AgentPerson, canonical. */
  readonly xml: string;
}

/** An identifier that must be there, of this root where one is given. */
export function idAt(node: Node | undefined, path: string, what: string, root?: string): string {
  const found = at(node, path);
  const value = root === undefined ? attribute(found, '', 'root') : attribute(found, '', 'extension');
  const isOfRoot = root === undefined || attribute(found, '', 'root') === root;
  if (value === undefined || !isOfRoot) throw new Refusal([missing(`${what} is missing`)]);
  if (root === undefined && !UUID.test(value)) throw new Refusal([missing(`${what} is not a UUID`)]);
  return root === undefined ? value.toUpperCase() : value;
}

export function readAgent(node: Node | undefined, what: string): Agent {
  if (node === undefined) return refuse(missing(`${what} is missing`));
  const organisation = at(node, 'representedOrganization');
  return {
    odsCode: idAt(organisation, 'id', `organisation of ${what}`, ODS),
    userId: attribute(node, 'agentPerson/id', 'extension') ?? refuse(missing(`person of ${what} is missing`)),
    name: textOf(at(organisation, 'name')),
    xml: canonicalise(node),
  };
}

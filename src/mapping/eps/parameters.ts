/** The parameters of a release request. */
import { invalidValue } from './fault.ts';
import { type Node, nodeAt, requiredList, stringAt } from './node.ts';
import { atMostOne } from './only.ts';

const PATH = 'Parameters.parameter';

const named = (parameters: Node, name: string): readonly Node[] =>
  requiredList(parameters, 'parameter', 'Parameters').filter((parameter) => stringAt(parameter, 'name', PATH) === name);

export const parameterNamed = (parameters: Node, name: string): Node | undefined =>
  atMostOne(named(parameters, name), PATH, `name == '${name}'`);

/** Who asks. */
export const agentOf = (parameters: Node): Node => resourceNamed(parameters, 'agent', 'PractitionerRole');
/** The dispensing site. */
export const ownerOf = (parameters: Node): Node => resourceNamed(parameters, 'owner', 'Organization');

export function hasOwner(parameters: Node): boolean {
  const owner = resourcesNamed(parameters, 'owner')[0];
  return owner?.['resourceType'] === 'Organization';
}

function resourceNamed(parameters: Node, name: string, type: string): Node {
  const [resource] = resourcesNamed(parameters, name);
  if (resource === undefined) throw invalidValue(`Parameter with name ${name} not found`);
  if (resource['resourceType'] !== type) throw invalidValue(`Parameter with name ${name} has wrong resourceType`);
  return resource;
}

const resourcesNamed = (parameters: Node, name: string): readonly Node[] =>
  named(parameters, name)
    .map((parameter) => nodeAt(parameter, 'resource', PATH))
    .filter((resource) => resource !== undefined);

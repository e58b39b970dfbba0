/**
 * Who may import whom. Imports point one way: contracts <- runtime, fanout, store <- services, gateways <- the mains.
 * swc parses: dependency-cruiser takes TypeScript before 7 only. Specs may import anything, as tests reach everywhere.
 */
const notASpec = '\\.(spec|suite)\\.ts$';
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    rule('no-circular', 'Two modules that import each other are one module', {}, { circular: true }),
    rule('no-unresolved', 'An import that leads nowhere fails at the start', {}, { couldNotResolve: true }),
    rule(
      'contracts-only-zod',
      'Contracts are read by services, gateways, the command line and browsers: zod and each other, nothing else',
      { path: '^shared/contracts/', pathNot: notASpec },
      { pathNot: '^(shared/contracts/|node_modules/zod/)' },
    ),
    rule(
      'shared-below',
      'What is shared knows nobody who uses it',
      { path: '^shared/', pathNot: notASpec },
      { path: '^((services|gateways|clients|docs|test|bench)/|main\\.ts$)' },
    ),
    rule(
      'adapter-alone',
      'Any Socket.IO server may use the adapter: it takes what it stands on along, and nothing of Trigate',
      { path: '^shared/fanout/adapter/', pathNot: notASpec },
      {
        pathNot: '^(shared/fanout/adapter/|node_modules/(@types/)?(nats|socket\\.io(-adapter|-parser)?|ws)/)',
        dependencyTypesNot: ['core'],
      },
    ),
    rule(
      'services-apart',
      'Services talk by calls and events',
      { path: '^services/([^/]+)/', pathNot: notASpec },
      { path: '^services/[^/]+/', pathNot: '^services/$1/' },
    ),
    rule(
      'services-below-gateways',
      'A service does not know through which gateway it is called',
      { path: '^services/', pathNot: notASpec },
      { path: '^((gateways|clients|docs|test|bench)/|main\\.ts$)' },
    ),
    rule(
      'gateways-apart',
      'Gateways share gateways/core and nothing of each other',
      { path: '^gateways/([^/]+)/', pathNot: notASpec },
      { path: '^gateways/[^/]+/', pathNot: '^gateways/($1|core)/' },
    ),
    rule(
      'gateways-without-services',
      'A gateway names no domain: it calls what the contracts name',
      { path: '^gateways/', pathNot: notASpec },
      { path: '^((services|clients|docs|test|bench)/|main\\.ts$)' },
    ),
    rule(
      'clients-outside',
      'A client has the contracts and the network, as any other program; the command line also checks a configuration',
      { path: '^clients/', pathNot: notASpec },
      { path: '^((services|gateways|docs|test|bench)/|main\\.ts$|shared/(?!contracts/|runtime/(config|release)))' },
    ),
    rule(
      'mains-on-top',
      'A main is run, not imported',
      { pathNot: notASpec },
      { path: '^(main|services/main|gateways/main|docs/generate)\\.ts$' },
    ),
    rule(
      'no-dev-dependencies',
      'Production installs leave them out',
      { path: '^(main\\.ts$|(services|gateways|shared|clients)/)', pathNot: notASpec },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'type-only'] },
    ),
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};

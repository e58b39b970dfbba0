'use strict';
require('reflect-metadata');

/**
 * What TypeScript emits for decorators, by hand: these files run without a compiler.
 * @param parameters decorators of the method's parameters, in order
 * @param types the parameters' classes, which the pipes look at
 */
function method(target, name, decorators, { parameters = [], types = [] } = {}) {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
  for (const [index, decorator] of parameters.entries()) decorator(target.prototype, name, index);
  for (const decorator of decorators.toReversed()) decorator(target.prototype, name, descriptor);
  Reflect.defineMetadata('design:paramtypes', types, target.prototype, name);
}

/** @param inject decorators of the constructor's parameters, in order */
function type(target, decorators, inject = []) {
  for (const [index, decorator] of inject.entries()) decorator(target, undefined, index);
  for (const decorator of decorators.toReversed()) decorator(target);
  return target;
}

function property(target, name, decorators) {
  for (const decorator of decorators.toReversed()) decorator(target.prototype, name);
}

module.exports = { method, type, property };

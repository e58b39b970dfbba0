export * from './common.ts';
export { HttpDriver } from './http.driver.ts';

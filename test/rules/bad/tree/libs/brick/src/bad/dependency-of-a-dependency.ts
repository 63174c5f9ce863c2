export { default } from 'enhanced-resolve';

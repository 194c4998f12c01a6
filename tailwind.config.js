// Tailwind CSS v4 reads this through @config in static/source/app.css. Every colour is a
// CSS variable that is defined there once for light and once for dark, so that the markup
// needs no "dark:" anywhere.
const tone = (name) => ({
  DEFAULT: `var(--${name})`,
  soft: `var(--${name}-soft)`,
  line: `var(--${name}-line)`,
});

export default {
  content: ["./views/**/*.templ"],
  theme: {
    extend: {
      colors: {
        paper: "var(--paper)",
        surface: "var(--surface)",
        sunken: "var(--sunken)",
        line: "var(--line)",
        ink: "var(--ink)",
        soft: "var(--soft)",
        faint: "var(--faint)",
        accent: { ...tone("accent"), ink: "var(--accent-ink)" },
        good: tone("good"),
        warning: tone("warning"),
        bad: { ...tone("bad"), ink: "var(--bad-ink)" },
      },
      fontFamily: {
        sans: ['"Inter Variable"', "ui-sans-serif", "system-ui", "sans-serif"],
        mono: ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
      },
    },
  },
};

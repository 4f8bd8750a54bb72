import java.io.FileInputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;

/** Judges files by veraPDF as PDF/A-3b: a line for each, the clauses that fail, status 1 when one does. */
public class Judge {
    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        var flavour = PDFAFlavour.fromString("3b");
        var compliant = files.length > 0;
        for (var file : files) {
            try (var in = new FileInputStream(file);
                    var parser = Foundries.defaultInstance().createParser(in, flavour);
                    var validator = Foundries.defaultInstance().createValidator(flavour, false)) {
                var result = validator.validate(parser);
                System.out.println(file + ": " + (result.isCompliant() ? "PDF/A-3b" : "not PDF/A-3b"));
                for (TestAssertion failed : result.getTestAssertions())
                    System.out.println("  " + failed.getRuleId().getClause() + ": " + failed.getMessage());
                compliant &= result.isCompliant();
            }
        }
        System.exit(compliant ? 0 : 1);
    }
}

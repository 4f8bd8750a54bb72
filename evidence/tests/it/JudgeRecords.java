import java.io.File;
import java.nio.file.*;
import java.util.*;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.SignerInformationVerifier;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.ers.*;

/** Bouncy Castle judges evidence records: CERTIFICATE EPOCH_MS, then RECORD and its files joined by ':', repeated. */
public class JudgeRecords {
    public static void main(String[] args) throws Exception {
        java.security.Security.addProvider(new BouncyCastleProvider());
        var certificate = new X509CertificateHolder(Files.readAllBytes(Path.of(args[0])));
        SignerInformationVerifier verifier = new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(certificate);
        Date now = new Date(Long.parseLong(args[1]));
        for (int i = 2; i < args.length; i += 2) {
            try {
                var digests = new JcaDigestCalculatorProviderBuilder().setProvider("BC").build();
                var record = new ERSEvidenceRecord(Files.readAllBytes(Path.of(args[i])), digests);
                record.validate(verifier);
                List<ERSData> all = new ArrayList<>();
                for (String file : args[i + 1].split(":")) {
                    all.add(new ERSByteData(Files.readAllBytes(Path.of(file))));
                }
                record.validatePresent(all.size() == 1 ? all.get(0) : new ERSDataGroup(all), now);
                System.out.println("OK");
            } catch (Exception e) {
                System.out.println("REFUSED " + e.getClass().getSimpleName() + ": " + e.getMessage());
            }
        }
    }
}
